/** Where a filter is wrong, shown at the place. */
import type { JSX } from "preact";

import type { Refused } from "../state/api.ts";

export function FilterMistakeText({
  error,
  filter,
  id,
}: {
  error: Refused;
  filter: string;
  id?: string;
}): JSX.Element {
  const { at, length = 1, help } = error;
  const problem = error.message.replace(/^cannot read the filter: /i, "");
  const end = (at ?? 0) + Math.max(1, length);
  return (
    <div class="mistake" role="alert" {...(id === undefined ? {} : { id })}>
      {at !== undefined && (
        <pre>
          {filter.slice(0, at)}
          <mark>{filter.slice(at, end) || " "}</mark>
          {filter.slice(end)}
        </pre>
      )}
      <p>
        {problem}. {help}
      </p>
    </div>
  );
}
