/* The classic BPF program of the capture helper: what of a machine's traffic a meter may see. */
#ifndef SERENO_FILTER_H
#define SERENO_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FILTER_MAX = 256 };

/* UDP whose payload says version 2 (RTP, RTCP), source or destination port in [low, high], over IPv4 or IPv6 with
 * extension headers, first fragments included. Of RTP only the headers pass, no octet of what was said; RTCP
 * (RFC 5761 section 4) passes whole. `ethernet`: frames begin at an Ethernet header, maybe with VLAN tags; else at the
 * IP header. The length of the program; 0: a jump does not fit (a fault of this file). */
size_t filter_build(struct sock_filter program[FILTER_MAX], bool ethernet, uint16_t low, uint16_t high);

#endif
