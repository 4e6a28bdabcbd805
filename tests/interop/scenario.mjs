// SPDX-License-Identifier: Apache-2.0
// Every call of every service, as it succeeds and as it is refused, over any transport (calls.mjs).
import { NOT_FOUND, DENIED, UNAUTHENTICATED, NONE, bearer } from "./calls.mjs";
import { Sessions } from "./sessions.mjs";

// Failed tries are counted, so one less is refused so.
const OTHERWISE = "coordinator.ListFreezes";
// Who may call these is proven by the message.
const PROVEN = ["RegisterParty", "JoinSession", "MarkPartyReady", "ReportCompletion",
  "SubmitDelegateShare"];

export class Scenario extends Sessions {
  async strangers() {
    for (const what of this.rpcs())
      if (!what.startsWith("health.") && what !== OTHERWISE &&
          !PROVEN.includes(what.split(".")[1]))
        await this.refused(what, {}, NONE, UNAUTHENTICATED, "unauthorized");
    await this.refused("account.ListAccounts", {}, { "x-api-key": "no" }, UNAUTHENTICATED,
      "unauthorized");
    await this.refused("router.Heartbeat", {}, bearer("a.b.c"), UNAUTHENTICATED, "unauthorized");
    // A key is no token, a token of one kind none of another.
    await this.refused("router.Heartbeat", {}, this.key, UNAUTHENTICATED, "unauthorized");
    await this.refused("router.WatchPresence", {}, bearer(this.config.tokens.ghost),
      UNAUTHENTICATED, "unauthorized");
    await this.refused("router.WatchPresence", {}, bearer(this.config.tokens.account), DENIED,
      "not_the_coordinator");
    await this.refused("router.PublishSessionEvent", {}, bearer(this.config.tokens.account), DENIED,
      "not_the_coordinator");
  }

  async health() {
    for (const [process, name] of Object.entries(this.config.processes)) {
      for (const service of name ? ["", name] : [""]) {
        const got = await this.ok("health.Check@" + process, { service }, NONE);
        this.check("it serves", got.status === "SERVING", got);
        const watch = this.stream("health.Watch@" + process, { service }, NONE);
        const { value } = await watch.next();
        this.check("its watcher is told so", value?.status === "SERVING", value);
        watch.cancel();
      }
      await this.refused("health.Check@" + process, { service: "no.such" }, NONE, NOT_FOUND,
        "service_not_found");
      const watch = this.stream("health.Watch@" + process, { service: "no.such" }, NONE);
      const { value } = await watch.next();
      this.check("its watcher learns that it is not there", value?.status === "SERVICE_UNKNOWN",
        value);
      watch.cancel();
    }
  }

  coverage() {
    // Nothing to refuse: who may watch health is everybody, and of what is not there it says so.
    const harmless = ["health.Watch"];
    const lacks = this.rpcs().filter((x) => !this.covered.ok.has(x) &&
      !(x === "shares.SignWithShare" && !this.lend));
    this.check("every call has succeeded once", lacks.length === 0, lacks);
    const kind = this.rpcs().filter((x) => !this.covered.refused.has(x) && !harmless.includes(x));
    this.check("every call was refused once", kind.length === 0, kind);
  }

  // True if all is right; this.lines has a line for each check.
  async run() {
    try {
      for (const part of ["strangers", "health", "shares", "accounts", "registration", "presence",
        "messages", "events", "selection", "failure", "signature", "delegation", "orders",
        "coverage"])
        await this[part]();
    } catch (e) {
      this.check("to the end", false, e.stack);
    }
    return this.faults === 0;
  }
}
