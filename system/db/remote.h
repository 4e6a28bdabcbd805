/* SPDX-License-Identifier: Apache-2.0 */
/* A database that another process on this machine speaks to: for a process that must not open
 * connections, because it holds secrets. The driver "remote:FD:URL" hands every call of driver.h
 * through the socket FD to db_remote_serve at its other end, which runs it on the driver of URL.
 * Between the two there is no parser of foreign bytes: what comes from the server is read over
 * there.
 *
 * The password goes through the socket, never into arguments or an environment. */
#ifndef SYSTEM_DB_REMOTE_H
#define SYSTEM_DB_REMOTE_H

/* Serves the socket |fd| until its other end is closed, or the first thing that makes no sense. */
void db_remote_serve(int fd);

#endif
