#include "filter.h"

enum {
    VLAN_TAGS = 3,   /* beside the one that the kernel takes off */
    EXTENSIONS = 5,  /* IPv6 extension headers before UDP */
    UDP = 17,
    RTP_HEADER = 12,
};

/* Where a jump goes; numbered ones follow theirs by depth. */
enum { NEXT, DROP, TYPE, V4, V6, PORTS, DESTINATION, VERSION, RTP, RTCP, TAG, EXTENSION = TAG + VLAN_TAGS,
       OPTIONS = EXTENSION + EXTENSIONS + 1, FRAGMENT = OPTIONS + EXTENSIONS, AUTHENTICATION = FRAGMENT + EXTENSIONS,
       LABELS = AUTHENTICATION + EXTENSIONS };

typedef struct {
    struct sock_filter *code;
    size_t count;
    uint8_t yes[FILTER_MAX], no[FILTER_MAX];
    size_t at[LABELS];
} assembly;

static void jump(assembly *a, uint16_t code, uint32_t operand, uint8_t yes, uint8_t no) {
    if (a->count == FILTER_MAX) return;
    a->yes[a->count] = yes;
    a->no[a->count] = no;
    a->code[a->count++] = (struct sock_filter){code, 0, 0, operand};
}

static void step(assembly *a, uint16_t code, uint32_t operand) { jump(a, code, operand, NEXT, NEXT); }

static void go(assembly *a, uint8_t to) { jump(a, BPF_JMP | BPF_JA, 0, to, NEXT); }

static void equal(assembly *a, uint32_t value, uint8_t yes, uint8_t no) {
    jump(a, BPF_JMP | BPF_JEQ | BPF_K, value, yes, no);
}

static void here(assembly *a, uint8_t label) { a->at[label] = a->count; }

/* X is the register of the offset: of the IP header, of an extension header, of UDP. */
static void load8(assembly *a, uint32_t offset) { step(a, BPF_LD | BPF_B | BPF_IND, offset); }
static void load16(assembly *a, uint32_t offset) { step(a, BPF_LD | BPF_H | BPF_IND, offset); }

static void advance(assembly *a) {
    step(a, BPF_ALU | BPF_ADD | BPF_X, 0);
    step(a, BPF_MISC | BPF_TAX, 0);
}

static void ethernet_header(assembly *a) {
    for (uint8_t depth = 0; depth <= VLAN_TAGS; depth++) {
        if (depth) here(a, (uint8_t)(TAG + depth - 1));
        step(a, BPF_LDX | BPF_W | BPF_IMM, 14 + 4u * depth);
        step(a, BPF_LD | BPF_H | BPF_ABS, 12 + 4u * depth);
        if (depth == VLAN_TAGS) break;
        equal(a, 0x8100, (uint8_t)(TAG + depth), NEXT);
        equal(a, 0x88a8, (uint8_t)(TAG + depth), NEXT);
        equal(a, 0x9100, (uint8_t)(TAG + depth), TYPE);
    }
    here(a, TYPE);
    equal(a, 0x0800, V4, NEXT);
    equal(a, 0x86dd, V6, DROP);
}

static void no_header(assembly *a) {
    step(a, BPF_LDX | BPF_W | BPF_IMM, 0);
    load8(a, 0);
    step(a, BPF_ALU | BPF_AND | BPF_K, 0xf0);
    equal(a, 0x40, V4, NEXT);
    equal(a, 0x60, V6, DROP);
}

static void ipv4(assembly *a) {
    here(a, V4);
    load8(a, 9);
    equal(a, UDP, NEXT, DROP);
    load16(a, 6);
    jump(a, BPF_JMP | BPF_JSET | BPF_K, 0x1fff, DROP, NEXT);
    load8(a, 0);
    step(a, BPF_ALU | BPF_AND | BPF_K, 0x0f);
    step(a, BPF_ALU | BPF_LSH | BPF_K, 2);
    advance(a);
    go(a, PORTS);
}

/* The type of the header after this one goes to M[0]; its length in units of `1 << shift` octets, `more` added first. */
static void skip(assembly *a, uint8_t label, uint32_t more, uint32_t shift, uint8_t next) {
    here(a, label);
    load8(a, 0);
    step(a, BPF_ST, 0);
    load8(a, 1);
    step(a, BPF_ALU | BPF_ADD | BPF_K, more);
    step(a, BPF_ALU | BPF_LSH | BPF_K, shift);
    advance(a);
    go(a, next);
}

static void skip_fragment(assembly *a, uint8_t label, uint8_t next) {
    here(a, label);
    load16(a, 2);
    jump(a, BPF_JMP | BPF_JSET | BPF_K, 0xfff8, DROP, NEXT);
    load8(a, 0);
    step(a, BPF_ST, 0);
    step(a, BPF_LD | BPF_W | BPF_IMM, 8);
    advance(a);
    go(a, next);
}

/* RFC 8200 section 4; the authentication header counts in words of four octets less two (RFC 4302 section 2.2). */
static void ipv6(assembly *a) {
    static const uint8_t options[] = {0, 43, 60, 135, 139, 140};
    here(a, V6);
    load8(a, 6);
    step(a, BPF_ST, 0);
    step(a, BPF_LD | BPF_W | BPF_IMM, 40);
    advance(a);
    for (uint8_t depth = 0; depth < EXTENSIONS; depth++) {
        uint8_t next = (uint8_t)(EXTENSION + depth + 1);
        here(a, (uint8_t)(EXTENSION + depth));
        step(a, BPF_LD | BPF_W | BPF_MEM, 0);
        equal(a, UDP, PORTS, NEXT);
        for (size_t i = 0; i < sizeof options; i++) equal(a, options[i], (uint8_t)(OPTIONS + depth), NEXT);
        equal(a, 44, (uint8_t)(FRAGMENT + depth), NEXT);
        equal(a, 51, (uint8_t)(AUTHENTICATION + depth), DROP);
        skip(a, (uint8_t)(OPTIONS + depth), 1, 3, next);
        skip_fragment(a, (uint8_t)(FRAGMENT + depth), next);
        skip(a, (uint8_t)(AUTHENTICATION + depth), 2, 2, next);
    }
    here(a, EXTENSION + EXTENSIONS);
    step(a, BPF_LD | BPF_W | BPF_MEM, 0);
    equal(a, UDP, PORTS, DROP);
}

static void udp(assembly *a, uint16_t low, uint16_t high) {
    here(a, PORTS);
    load16(a, 0);
    jump(a, BPF_JMP | BPF_JGE | BPF_K, low, NEXT, DESTINATION);
    jump(a, BPF_JMP | BPF_JGT | BPF_K, high, DESTINATION, VERSION);
    here(a, DESTINATION);
    load16(a, 2);
    jump(a, BPF_JMP | BPF_JGE | BPF_K, low, NEXT, DROP);
    jump(a, BPF_JMP | BPF_JGT | BPF_K, high, DROP, VERSION);
    here(a, VERSION);
    load8(a, 8);
    step(a, BPF_ALU | BPF_AND | BPF_K, 0xc0);
    equal(a, 0x80, NEXT, DROP);
    load8(a, 9);
    jump(a, BPF_JMP | BPF_JGE | BPF_K, 192, NEXT, RTP);
    jump(a, BPF_JMP | BPF_JGT | BPF_K, 223, RTP, RTCP);
    here(a, RTP);
    load8(a, 8);
    step(a, BPF_ALU | BPF_AND | BPF_K, 0x0f); /* contributing sources */
    step(a, BPF_ALU | BPF_LSH | BPF_K, 2);
    step(a, BPF_ALU | BPF_ADD | BPF_X, 0);
    step(a, BPF_ALU | BPF_ADD | BPF_K, 8 + RTP_HEADER);
    step(a, BPF_RET | BPF_A, 0);
    here(a, RTCP);
    step(a, BPF_RET | BPF_K, 0xffff);
    here(a, DROP);
    step(a, BPF_RET | BPF_K, 0);
}

static bool resolve(assembly *a) {
    for (size_t i = 0; i < a->count; i++) {
        size_t yes = a->yes[i] ? a->at[a->yes[i]] - i - 1 : 0, no = a->no[i] ? a->at[a->no[i]] - i - 1 : 0;
        if (a->code[i].code == (BPF_JMP | BPF_JA)) {
            a->code[i].k = (uint32_t)yes;
            continue;
        }
        if (yes > UINT8_MAX || no > UINT8_MAX) return false;
        a->code[i].jt = (uint8_t)yes;
        a->code[i].jf = (uint8_t)no;
    }
    return true;
}

size_t filter_build(struct sock_filter program[FILTER_MAX], bool ethernet, uint16_t low, uint16_t high) {
    assembly a = {.code = program};
    if (ethernet) ethernet_header(&a);
    else no_header(&a);
    ipv4(&a);
    ipv6(&a);
    udp(&a, low, high);
    return a.count < FILTER_MAX && resolve(&a) ? a.count : 0;
}
