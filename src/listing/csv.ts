/**
 * A flow as a row of `list --csv` (RFC 4180, lines ended by the caller). Columns are those of the JSON
 * object, flattened; new ones are added at the end. An absent field is empty; several values in one field are
 * parted by blanks.
 */
import type { Flow } from "../table/flow.ts";
import { type FlowExtra, flowToJson, type TupleJson } from "./json.ts";

const tupleColumns = [
  "source",
  "destination",
  "sourcePort",
  "destinationPort",
  "type",
  "code",
  "id",
  "sourceKey",
  "destinationKey",
  "packets",
  "bytes",
  "zone",
] as const satisfies readonly (keyof TupleJson)[];

const flowColumns = [
  "mark",
  "zone",
  "use",
  "id",
  "idleSeconds",
  "ageSeconds",
  "startedAtMs",
  "helper",
  "labels",
  "secmark",
  "securityContext",
  "event",
] as const;

/** The first row. */
export const csvHeader = [
  "protocol",
  "protocolNumber",
  "state",
  "timeoutSeconds",
  ...tupleColumns.map((name) => prefixed("original", name)),
  ...tupleColumns.map((name) => prefixed("reply", name)),
  "status",
  ...flowColumns,
].join(",");

/** The row of a flow. */
export function flowToCsv(flow: Flow, extra: FlowExtra = {}): string {
  const json = flowToJson(flow, extra);
  const { original, reply } = json;
  const values = [
    json.protocol,
    json.protocolNumber,
    json.state,
    json.timeoutSeconds,
    ...tupleColumns.map((name) => original[name]),
    ...tupleColumns.map((name) => reply?.[name]),
    json.status,
    ...flowColumns.map((name) => json[name]),
  ];
  return values.map((value) => quoted(value)).join(",");
}

function prefixed(direction: string, name: string): string {
  return direction + name.charAt(0).toUpperCase() + name.slice(1);
}

function quoted(value: string | number | readonly (string | number)[] | undefined): string {
  if (value === undefined) return "";
  const text = Array.isArray(value) ? value.join(" ") : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
