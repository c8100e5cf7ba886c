export DIB_TRUSTED_CA_BUNDLE=${DIB_TRUSTED_CA_BUNDLE:-}
export DIB_TRUSTED_CA_DISTRUST=${DIB_TRUSTED_CA_DISTRUST:-}
export DIB_TRUSTED_CA_CONTAINER_PATHS=${DIB_TRUSTED_CA_CONTAINER_PATHS:-/run/trusted-ca-bundle.pem}
# debootstrap runs under sudo, which drops WGETRC; its suite script is the one documented way in.
export DIB_DEBIAN_DEBOOTSTRAP_SCRIPT=${DIB_DEBIAN_DEBOOTSTRAP_SCRIPT:-${DIB_TRUSTED_CA_BUNDLE:+$TMP_HOOKS_PATH/trusted-ca-bundle/debootstrap-suite}}
