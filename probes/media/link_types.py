"""Link types of captures by number (tcpdump.org/linktypes): their names, and which of them are read."""

_NAMES = {
    0: "NULL", 1: "ETHERNET", 6: "IEEE802_5", 8: "SLIP", 9: "PPP", 10: "FDDI", 12: "RAW", 14: "RAW", 50: "PPP_HDLC",
    51: "PPP_ETHER", 100: "ATM_RFC1483", 101: "RAW", 104: "C_HDLC", 105: "IEEE802_11", 107: "FRELAY", 108: "LOOP",
    113: "LINUX_SLL", 119: "IEEE802_11_PRISM", 122: "IP_OVER_FC", 127: "IEEE802_11_RADIOTAP", 129: "ARCNET_LINUX",
    138: "APPLE_IP_OVER_IEEE1394", 139: "MTP2_WITH_PHDR", 140: "MTP2", 141: "MTP3", 142: "SCCP", 143: "DOCSIS",
    147: "USER0", 163: "IEEE802_11_AVS", 166: "PPP_PPPD", 177: "LINUX_LAPD", 187: "BLUETOOTH_HCI_H4", 189: "USB_LINUX",
    192: "PPI", 195: "IEEE802_15_4_WITHFCS", 197: "ERF", 201: "BLUETOOTH_HCI_H4_WITH_PHDR", 204: "PPP_WITH_DIR",
    205: "C_HDLC_WITH_DIR", 206: "FRELAY_WITH_DIR", 209: "IPMB_LINUX", 220: "USB_LINUX_MMAPPED", 224: "FC_2",
    226: "IPNET", 227: "CAN_SOCKETCAN", 228: "IPV4", 229: "IPV6", 230: "IEEE802_15_4_NOFCS", 231: "DBUS", 239: "NFLOG",
    243: "MPEG_2_TS", 247: "INFINIBAND", 248: "SCTP", 249: "USBPCAP", 252: "WIRESHARK_UPPER_PDU", 253: "NETLINK",
    258: "PKTAP", 274: "ETHERNET_MPACKET", 276: "LINUX_SLL2",
}  # fmt: skip


def link_name(link_type: int) -> str:
    """The name of a link type; the number where it has none here."""
    return _NAMES.get(link_type, str(link_type))


def link_words(link_type: int) -> str:
    """The number and the name, for a message."""
    name = _NAMES.get(link_type)
    return f"{link_type} ({name})" if name else str(link_type)
