/** Which conntrack zone a packet is in: what `ct zone set` or `CT --zone` rules say by VLAN or interface. */

export interface ZoneRules {
  /** By VLAN identifier of the outermost tag; it goes before the interface. */
  readonly byVlan?: ReadonlyMap<number, number>;
  /** By interface of the capture, counted from 0. */
  readonly byInterface?: ReadonlyMap<number, number>;
}

const VLANS = 4096;

export class ZoneTable {
  /** No packet is in another zone than 0. */
  readonly isEmpty: boolean;
  readonly #byVlan = new Int32Array(VLANS).fill(-1);
  readonly #byInterface: Int32Array;

  constructor(rules: ZoneRules) {
    const interfaces = [...(rules.byInterface?.keys() ?? [])];
    this.#byInterface = new Int32Array(Math.max(-1, ...interfaces) + 1);
    for (const [index, zone] of rules.byInterface ?? []) this.#byInterface[index] = zone;
    for (const [vlan, zone] of rules.byVlan ?? []) this.#byVlan[vlan] = zone;
    this.isEmpty = interfaces.length === 0 && (rules.byVlan?.size ?? 0) === 0;
  }

  zoneOf(vlan: number, interfaceIndex: number): number {
    const zone = this.#byVlan[vlan] as number;
    if (zone !== -1) return zone;
    return interfaceIndex < this.#byInterface.length ? (this.#byInterface[interfaceIndex] as number) : 0;
  }
}
