/** Where a filter is wrong, shown at the place. */
import type { JSX } from "preact";

import type { Refused } from "../state/api.ts";
import { readMistake } from "../words/terms.ts";

export function FilterMistakeText({
  error,
  filter,
  id,
}: {
  error: Refused;
  filter: string;
  id?: string;
}): JSX.Element {
  const { at, length, help } = error;
  const read = readMistake(error.message);
  const start = at ?? read?.before.length;
  const problem = read?.problem ?? error.message.split("\n", 1)[0]?.replace(/^cannot read the filter: /i, "");
  const end = start === undefined ? 0 : start + Math.max(1, length ?? read?.wrong.length ?? 1);
  return (
    <div class="mistake" role="alert" {...(id === undefined ? {} : { id })}>
      {start !== undefined && (
        <pre>
          {filter.slice(0, start)}
          <mark>{filter.slice(start, end) || " "}</mark>
          {filter.slice(end)}
        </pre>
      )}
      <p>
        {problem}. {help ?? read?.wanted}
      </p>
    </div>
  );
}
