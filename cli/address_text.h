/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses as people give them: is this text one, of a kind that the library makes? Only then does
 * comparing it with a key's addresses say anything. */
#ifndef QUORATE_CLI_ADDRESS_TEXT_H
#define QUORATE_CLI_ADDRESS_TEXT_H

#include <stdint.h>

enum address_text { ADDRESS_GOOD, ADDRESS_NONE, ADDRESS_CHECKSUM };

/* 0x and 40 hex digits into |out|. A checksum (EIP-55) is looked at if there are letters of both
 * cases. */
enum address_text address_text_ethereum(uint8_t out[20], const char *text);

/* Ethereum; P2WPKH (BIP173) in one case, P2PKH, both of Bitcoin's main network; Tron. */
enum address_text address_text_check(const char *text);

#endif
