/** From the options of the file to receivers. */
import type { Subscription } from "../../../watch/watch.ts";
import type { ReceiverOptions } from "../alerts-options-schema.ts";
import { alertmanager } from "./alertmanager.ts";
import { command } from "./command.ts";
import { mail } from "./mail.ts";
import type { Receiver, ReceiverDeps } from "./receiver.ts";
import { webhook } from "./webhook.ts";

export function openReceiver(options: ReceiverOptions, deps: ReceiverDeps): Receiver {
  switch (options.kind) {
    case "webhook":
      return webhook(options, deps);
    case "command":
      return command(options, deps);
    case "mail":
      return mail(options, deps);
    case "alertmanager":
      return alertmanager(options, deps);
  }
}

/** What each wants to be told. */
export function subscriptionsOf(receivers: readonly ReceiverOptions[]): readonly Subscription[] {
  return receivers.map(({ name, least, resolved }) => ({ receiver: name, least, resolved }));
}
