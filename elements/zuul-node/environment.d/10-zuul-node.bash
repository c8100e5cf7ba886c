export DIB_ZUUL_NODE_USER=${DIB_ZUUL_NODE_USER:-zuul}
export DIB_ZUUL_NODE_AUTHORIZED_KEYS=${DIB_ZUUL_NODE_AUTHORIZED_KEYS:-}
export DIB_ZUUL_NODE_INIT=${DIB_ZUUL_NODE_INIT:-cloud-init}
# Else debian-minimal asks for DHCP on eth0 and eth1, which a node with other interface names waits for in vain.
export DIB_APT_MINIMAL_CREATE_INTERFACES=${DIB_APT_MINIMAL_CREATE_INTERFACES:-0}
