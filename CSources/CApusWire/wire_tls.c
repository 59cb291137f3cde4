// TLS: what is trusted, handshakes on the thread pool, tickets, and verdicts in words.
//
// A handshake is a row of steps. Each step is a job on libuv's thread pool that computes as far as the bytes at hand allow;
// between steps the loop watches the socket. So neither the hot thread computes, nor does a silent peer hold a pool thread.
// While a job runs (`busy`) the pool thread owns the transport's SSL and nobody else touches it.
#include "wire_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

// MARK: context

// Called where the ticket comes in: in a job, or below SSL_read on the hot thread. Keeps the reference it is given.
static int ticket_came(SSL* ssl, SSL_SESSION* session) {
    transport* t = SSL_get_app_data(ssl);
    if (t->fresh) SSL_SESSION_free(t->fresh);
    t->fresh = session;
    return 1;
}

static int load_authorities(SSL_CTX* tls, const char* ca_file) {
    ERR_clear_error();
    int loaded = ca_file ? SSL_CTX_load_verify_locations(tls, ca_file, NULL) : SSL_CTX_set_default_verify_paths(tls);
    return loaded == 1 ? 0 : -ENOENT;
}

static bool set_algorithms(SSL_CTX* tls) {
    // Authenticated encryption only; the 128-bit key first, because it is the fastest and as good as the certificate.
    return SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) == 1
           && SSL_CTX_set_ciphersuites(tls,
                                       "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256")
                  == 1
           && SSL_CTX_set_cipher_list(tls, "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20") == 1
           && SSL_CTX_set_alpn_protos(tls, (const unsigned char*)"\x08http/1.1", 9) == 0;
}

int wire_tls_create(apus_wire* wire) {
    int result = wire_bio_create();
    if (result != 0) return result;
    SSL_CTX* tls = SSL_CTX_new(TLS_client_method());
    if (!tls) return -ENOMEM;
    wire->tls = tls;
    if (!set_algorithms(tls)) return -ENOTSUP;
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_options(tls, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY);
    SSL_CTX_clear_mode(tls, SSL_MODE_RELEASE_BUFFERS);
    if (wire->config.resume_sessions) {
        SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(tls, ticket_came);
    }
    return load_authorities(tls, wire->config.ca_file);
}

void wire_tls_destroy(apus_wire* wire) {
    for (uint32_t i = 0; i < APUS_CONNECTIONS_MAX; i++) {
        if (wire->tickets[i].session) SSL_SESSION_free(wire->tickets[i].session);
        wire->tickets[i].session = NULL;
    }
    SSL_CTX_free(wire->tls);
    wire->tls = NULL;
}

// MARK: tickets

static bool is_for(const ticket_entry* entry, const apus_endpoint* endpoint) {
    return entry->session && entry->endpoint.port == endpoint->port
           && strcmp(entry->endpoint.host, endpoint->host) == 0;
}

// The newest: it is good for the longest.
static ticket_entry* find_ticket(apus_wire* wire, const apus_endpoint* endpoint) {
    ticket_entry* newest = NULL;
    for (uint32_t i = 0; i < APUS_CONNECTIONS_MAX; i++) {
        ticket_entry* entry = &wire->tickets[i];
        if (is_for(entry, endpoint) && (!newest || entry->number > newest->number)) newest = entry;
    }
    return newest;
}

// Connections to one endpoint have a ticket each, so that after an outage all of them resume. Beyond that the oldest choice of the
// endpoint goes; with all places taken that of any endpoint, which costs it one full handshake.
static ticket_entry* place_ticket(apus_wire* wire, const apus_endpoint* endpoint) {
    ticket_entry* own = NULL;
    ticket_entry* empty = NULL;
    uint32_t count = 0;
    for (uint32_t i = 0; i < APUS_CONNECTIONS_MAX; i++) {
        ticket_entry* entry = &wire->tickets[i];
        if (!entry->session && !empty) empty = entry;
        if (!is_for(entry, endpoint)) continue;
        count++;
        if (!own || entry->number < own->number) own = entry;
    }
    if (own && (count >= APUS_SESSION_CHANNELS_MAX || !empty)) return own;
    return empty ? empty : &wire->tickets[wire->ticket_turn % APUS_CONNECTIONS_MAX];
}

void wire_tls_keep(transport* t) {
    SSL_SESSION* fresh = t->fresh;
    t->fresh = NULL;
    if (!SSL_SESSION_is_resumable(fresh)) {
        SSL_SESSION_free(fresh);
        return;
    }
    apus_wire* wire = t->wire;
    ticket_entry* entry = place_ticket(wire, &t->endpoint);
    if (entry->session) SSL_SESSION_free(entry->session);
    entry->endpoint = t->endpoint;
    entry->session = fresh;
    entry->number = wire->ticket_turn++;
}

// Takes the ticket out: TLS 1.3 asks that one is used once, so that two connections cannot be linked. The next comes with
// this connection.
static void take_ticket(transport* t) {
    ticket_entry* entry = find_ticket(t->wire, &t->endpoint);
    if (!entry) return;
    t->ticket = entry->session;
    entry->session = NULL;
}

// MARK: verdicts

static const char* verify_hint(long code) {
    switch (code) {
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return "; if this peer is yours, name the file of its authority as tls.ca_file";
    case X509_V_ERR_CERT_NOT_YET_VALID:
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "; check this machine's date, then ask the peer's owner for a new certificate";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return "; connect by a name that the certificate has";
    default:
        return "";
    }
}

int32_t wire_tls_verdict(transport* t, unsigned long queue, char* text, size_t bytes) {
    bool open = t->phase == PHASE_OPEN;
    int reason = ERR_GET_REASON(queue);
    long verify = t->ssl ? SSL_get_verify_result(t->ssl) : X509_V_OK;
    if (!open && verify != X509_V_OK && reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        snprintf(text, bytes, "certificate verify failed: %s%s", X509_verify_cert_error_string(verify),
                 verify_hint(verify));
        return APUS_TLS_VERIFY | (int32_t)(verify & 0xffff);
    }
    if (t->stream_end && (queue == 0 || reason == SSL_R_UNEXPECTED_EOF_WHILE_READING)) {
        snprintf(text, bytes, "%s",
                 open ? "the peer closed without saying so; the last message may be incomplete"
                      : "the peer closed during the handshake");
        return open ? APUS_TLS_TRUNCATED : APUS_TLS_ENDED;
    }
    if (t->io_error != 0) {
        snprintf(text, bytes, "%s", strerror(t->io_error));
        return APUS_TLS_SYSTEM | (t->io_error & 0xffff);
    }
    const char* words = queue ? ERR_reason_error_string(queue) : NULL;
    snprintf(text, bytes, "%s", words ? words : "protocol error");
    return APUS_TLS_PROTOCOL | (reason & 0xffff);
}

// MARK: handshake

static bool is_address(const char* host) {
    struct in6_addr any;
    return inet_pton(AF_INET, host, &any) == 1 || inet_pton(AF_INET6, host, &any) == 1;
}

// Names the peer whose certificate is wanted: an address is looked for among the addresses, and is never sent as SNI.
static bool expect_peer(SSL* ssl, const char* host) {
    if (is_address(host)) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

static bool make_ssl(transport* t) {
    t->ssl = SSL_new(t->wire->tls);
    if (!t->ssl || wire_bio_attach(t) != 0 || !expect_peer(t->ssl, t->endpoint.host)) return false;
    if (SSL_set_app_data(t->ssl, t) != 1) return false;
    // A ticket that does not fit any more only costs the shortcut.
    if (t->ticket) SSL_set_session(t->ssl, t->ticket);
    SSL_set_connect_state(t->ssl);
    return true;
}

// On a pool thread.
static void handshake_step(uv_work_t* job) {
    transport* t = job->data;
    ERR_clear_error();
    if (!t->ssl && !make_ssl(t)) {
        t->handshake_error = -1;
        t->handshake_queue = ERR_peek_error();
        return;
    }
    int result = SSL_do_handshake(t->ssl);
    t->handshake_error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(t->ssl, result);
    t->handshake_queue = ERR_peek_error();
    ERR_clear_error();
}

static void handshake_failed(transport* t) {
    char text[APUS_WIRE_ERROR_BYTES];
    int32_t error = APUS_TLS_MEMORY;
    if (t->handshake_error < 0)
        snprintf(text, sizeof text, "cannot prepare the connection");
    else
        error = wire_tls_verdict(t, t->handshake_queue, text, sizeof text);
    wire_set_error(t->owner, "TLS with %.64s port %u: %s", t->endpoint.host, t->endpoint.port, text);
    wire_close(t->owner, APUS_CLOSED_TLS, error);
}

static void handshake_finished(transport* t) {
    t->self_read = false;
    t->handshake_ns = wire_now(t->wire) - t->step_ns;
    t->resumed = SSL_session_reused(t->ssl) == 1;
    // A server of TLS 1.2 that takes a ticket need not give a new one: the old one stays good.
    if (!t->fresh && t->resumed && SSL_version(t->ssl) < TLS1_3_VERSION) {
        t->fresh = t->ticket;
        t->ticket = NULL;
    }
    if (t->fresh) wire_tls_keep(t);
    wire_opened(t);
}

static void wait_for(transport* t, int events) {
    if (wire_watch(t, events) == 0) return;
    t->io_error = ENOMEM;
    handshake_failed(t);
}

static void handshake_stepped(uv_work_t* job, int status) {
    transport* t = job->data;
    t->busy = false;
    if (!t->owner || status != 0) {
        wire_transport_idle(t);
        return;
    }
    switch (t->handshake_error) {
    case SSL_ERROR_NONE:
        handshake_finished(t);
        break;
    case SSL_ERROR_WANT_READ:
        wait_for(t, UV_READABLE);
        break;
    case SSL_ERROR_WANT_WRITE:
        wait_for(t, UV_WRITABLE);
        break;
    default:
        handshake_failed(t);
    }
}

void wire_tls_continue(transport* t) {
    if (t->busy) return;
    wire_watch(t, 0);
    int result = uv_queue_work(&t->wire->loop, &t->job, handshake_step, handshake_stepped);
    if (result == 0) {
        t->busy = true;
        return;
    }
    t->handshake_error = -1;
    handshake_failed(t);
}

void wire_tls_begin(transport* t) {
    t->phase = PHASE_HANDSHAKING;
    t->deadline_ns = t->step_ns + t->wire->config.handshake_timeout_ns;
    t->self_read = true;
    t->job.data = t;
    take_ticket(t);
    wire_tls_continue(t);
}
