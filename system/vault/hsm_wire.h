/* SPDX-License-Identifier: Apache-2.0 */
/* Packets between hsm.c and hsm_helper.c, which alone include this, and their test. First the
 * settings as JSON, and as the answer {"ids": [hex, ...]} or {"error": line}. Then requests and
 * answers of one number.
 *
 *   request = number(8) | 'W' or 'U' | key(1) | data key(32) or wrapped key(60) | associated data
 *   answer  = number(8) | enum vault_result(1) | wrapped key(60), data key(32), or a line of text
 */
#ifndef SYSTEM_VAULT_HSM_WIRE_H
#define SYSTEM_VAULT_HSM_WIRE_H

enum {
    HSM_NUMBER = 8,
    HSM_REQUEST_HEAD = HSM_NUMBER + 2,
    HSM_ANSWER_HEAD = HSM_NUMBER + 1,
    HSM_PACKET_MAX = 4096
};

#endif
