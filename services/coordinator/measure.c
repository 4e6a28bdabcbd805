/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics by type and by how sessions end. Labels live as long as the process. */
#include "services/coordinator/measure.h"

#include <stdio.h>

enum { LABEL_MAX = 64 };

static char type_labels[SESSION_TYPES][LABEL_MAX];
static char end_labels[SESSION_TYPES][SESSION_STATUSES][LABEL_MAX];

static void init_type(struct coordinator *c, enum session_type type)
{
    snprintf(type_labels[type], LABEL_MAX, "type=\"%s\"", session_type_name(type));
    c->created[type] = metric_new(METRIC_COUNTER, "quorate_sessions_created_total",
                                  type_labels[type], "Sessions created.");
    for (int i = SESSION_COMPLETED; i < SESSION_STATUSES; i++) {
        snprintf(end_labels[type][i], LABEL_MAX, "type=\"%s\",status=\"%s\"",
                 session_type_name(type), session_status_name((enum session_status)i));
        c->ended_by[type][i] = metric_new(METRIC_COUNTER, "quorate_sessions_ended_total",
                                          end_labels[type][i], "Sessions that ended.");
    }
}

void measure_init(struct coordinator *c)
{
    for (int i = 0; i < SESSION_TYPES; i++)
        init_type(c, (enum session_type)i);
    c->running_now =
        metric_new(METRIC_GAUGE, "quorate_sessions_running", NULL, "Sessions that run.");
    c->waiting_now = metric_new(METRIC_GAUGE, "quorate_sessions_waiting", NULL,
                                "Sessions that wait for their turn or for parties.");
    c->attempts =
        metric_new(METRIC_COUNTER, "quorate_session_attempts_total", NULL, "Attempts begun.");
    c->parties_live = metric_new(METRIC_GAUGE, "quorate_parties_live", NULL, "Parties alive.");
    c->duration[CLASS_SIGN] = metric_new(METRIC_HISTOGRAM, "quorate_session_seconds",
                                         "class=\"sign\"", "From creation to the end.");
    c->duration[CLASS_KEYGEN] = metric_new(METRIC_HISTOGRAM, "quorate_session_seconds",
                                           "class=\"keygen\"", "From creation to the end.");
    c->duration[CLASS_PRESIGN] = metric_new(METRIC_HISTOGRAM, "quorate_session_seconds",
                                            "class=\"presign\"", "From creation to the end.");
    c->presigs_ready = metric_new(METRIC_GAUGE, "quorate_presignatures_ready", NULL,
                                  "Presignatures that parties hold ready.");
    c->presigs_made =
        metric_new(METRIC_COUNTER, "quorate_presignatures_made_total", NULL, "Presignatures made.");
    c->presigs_used = metric_new(METRIC_COUNTER, "quorate_presignatures_used_total", NULL,
                                 "Presignatures given to signatures.");
}
