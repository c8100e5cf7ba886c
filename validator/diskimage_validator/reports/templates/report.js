"use strict";
// Everything is visible without this script. It folds away what passed, and shows only what a person looks for.
(() => {
  const box = document.getElementById("filter");
  const input = document.getElementById("words");
  const matches = document.getElementById("matches");
  const counts = [...document.querySelectorAll(".count")];
  const groups = [...document.querySelectorAll("details.check")];
  const findings = [...document.querySelectorAll(".finding")].map((element) => {
    const check = element.closest(".check");
    const heading = check ? check.querySelector("h3").textContent + " " + check.dataset.check : "";
    return { element, check, kind: element.dataset.kind, text: (heading + " " + element.textContent).toLowerCase() };
  });
  let kind = "";

  function show() {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const active = words.length > 0 || kind !== "";
    let number = 0;
    for (const finding of findings) {
      const wanted = (!kind || finding.kind === kind) && words.every((word) => finding.text.includes(word));
      finding.element.hidden = !wanted;
      number += wanted ? 1 : 0;
    }
    for (const parent of document.querySelectorAll(".check, main > section")) {
      parent.hidden = active && !parent.querySelector(".finding:not([hidden])");
    }
    for (const group of groups) {
      group.open = active;
    }
    matches.textContent = active ? number + (number === 1 ? " match" : " matches") : "";
  }

  function choose(element) {
    kind = kind === element.dataset.kind ? "" : element.dataset.kind;
    for (const count of counts) {
      count.setAttribute("aria-pressed", String(count.dataset.kind === kind));
    }
    show();
  }

  for (const count of counts) {
    count.setAttribute("role", "button");
    count.setAttribute("aria-pressed", "false");
    count.tabIndex = 0;
    count.addEventListener("click", () => choose(count));
    count.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        choose(count);
      }
    });
  }
  input.addEventListener("input", show);
  window.addEventListener("beforeprint", () => groups.forEach((group) => { group.open = true; }));
  window.addEventListener("afterprint", show);
  // A link can ask for words: report.html#skopeo
  function ask() {
    try {
      input.value = decodeURIComponent(window.location.hash.slice(1));
    } catch {
      input.value = "";
    }
    show();
  }

  window.addEventListener("hashchange", ask);
  box.hidden = false;
  ask();
})();
