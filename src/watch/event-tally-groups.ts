/**
 * What flow events are counted by: all together, each protocol, the states flows end in, and the services, of
 * which only so many are kept at a time.
 */
import { type FlowColumns, Has } from "../table/columns.ts";
import { discriminatorOf, protocolName } from "../table/protocol.ts";
import { stateName } from "../table/state.ts";
import { Lives } from "./event-tally-lives.ts";
import { GroupWindow } from "./event-tally-window.ts";

/** Services that are kept at a time. */
const SERVICES = 512;
/** A service that is not among them, and a flow that has none. */
const NO_SERVICE = -1;

/** A group with its lives: two periods, the one under way and the one before. */
export class Group {
  readonly name: { protocol: string; port?: number; state?: string };
  readonly window = new GroupWindow();
  lives = new Lives();
  before = new Lives();

  constructor(name: Group["name"]) {
    this.name = name;
  }

  turn(): void {
    [this.lives, this.before] = [this.before, this.lives];
    this.lives.clear();
  }
}

export class Groups {
  readonly all = new Group({ protocol: "all" });
  readonly #protocols = new Map<number, Group>();
  readonly #states = new Map<number, Group>();
  /** Numbers of services by protocol and port, and their groups by number. */
  readonly #numbers = new Map<number, number>();
  readonly #services: (Group | undefined)[] = Array.from({ length: SERVICES }, () => undefined);
  readonly #free: number[] = Array.from({ length: SERVICES }, (_, index) => SERVICES - 1 - index);

  protocols(): Iterable<Group> {
    return this.#protocols.values();
  }

  states(): Iterable<Group> {
    return this.#states.values();
  }

  services(): readonly Group[] {
    return this.#services.filter((group) => group !== undefined);
  }

  *each(): Iterable<Group> {
    yield this.all;
    yield* this.#protocols.values();
    yield* this.#states.values();
    yield* this.services();
  }

  /** Those a flow belongs to; `service` is a number that `serviceAt` gave. */
  of(protocol: number, service: number): Group[] {
    const own = service === NO_SERVICE ? undefined : this.#services[service];
    const groups = [this.all, this.#ofProtocol(protocol)];
    return own === undefined ? groups : [...groups, own];
  }

  #ofProtocol(protocol: number): Group {
    let group = this.#protocols.get(protocol);
    if (group === undefined) {
      group = new Group({ protocol: protocolName(protocol) });
      this.#protocols.set(protocol, group);
    }
    return group;
  }

  ofState(protocol: number, state: number): Group {
    const key = protocol * 256 + state;
    let group = this.#states.get(key);
    if (group === undefined) {
      group = new Group({ protocol: protocolName(protocol), state: stateName(protocol, state) });
      this.#states.set(key, group);
    }
    return group;
  }

  /** The number of the service of a row; NO_SERVICE when it has none or there is no room for one more. */
  serviceAt(columns: FlowColumns, row: number): number {
    const protocol = columns.protocol[row] as number;
    const isBare = ((columns.has[row] as number) & Has.bare) !== 0;
    if (isBare || discriminatorOf(protocol) !== "ports") return NO_SERVICE;
    const port = columns.originalDestinationDiscriminator[row] as number;
    const key = protocol * 65_536 + port;
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const free = this.#free.pop();
    if (free === undefined) return NO_SERVICE;
    this.#numbers.set(key, free);
    this.#services[free] = new Group({ protocol: protocolName(protocol), port });
    return free;
  }

  /** Makes room: services that are not `used` and had no event in the window are forgotten. */
  release(used: ReadonlySet<number>): void {
    for (const [key, service] of this.#numbers) {
      if (used.has(service) || this.#services[service]?.window.isEmpty() === false) continue;
      this.#numbers.delete(key);
      this.#services[service] = undefined;
      this.#free.push(service);
    }
  }
}
