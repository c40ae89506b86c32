/* pcapng (draft-ietf-opsawg-pcapng): sections of blocks, each between two copies of its length. */
#ifndef SERENO_PCAPNG_H
#define SERENO_PCAPNG_H

#include "capture.h"

enum { PCAPNG_HEADER = 28 }; /* octets of the shortest section header block */

/* Does a section header begin here? `length` is 4 or more. */
bool pcapng_recognise(capture_reader *r, const uint8_t *buffer);
/* Takes a block; *at is then behind it. */
record_kind pcapng_next(capture_reader *r, const uint8_t *buffer, size_t length, size_t *at, capture_record *out);
/* As pcap_plain: enhanced packets one behind the other whose interfaces are Ethernet with decimal units. */
size_t pcapng_plain(capture_reader *r, const uint8_t *buffer, size_t length, size_t *at, size_t end, datagram *out,
                    size_t room);
/* Passes over what is left of a block that nobody reads. */
record_kind pcapng_skip(capture_reader *r, const uint8_t *buffer, size_t length, size_t *at);

#endif
