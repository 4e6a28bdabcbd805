/* SPDX-License-Identifier: Apache-2.0 */
/* How long a presignature is good. The coordinator gives one out for so long after it was made; the
 * keepers that made it wipe it a margin later, so that what is given out is still there. */
#ifndef PARTICIPANT_PRESIG_LIFE_H
#define PARTICIPANT_PRESIG_LIFE_H

enum {
    PRESIG_OFFER_S = 3600,
    /* a session with it may take so long to begin */
    PRESIG_MARGIN_S = 60,
    PRESIG_LIFE_S = PRESIG_OFFER_S + PRESIG_MARGIN_S
};

#endif
