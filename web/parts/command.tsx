/** A command as it is typed, with a button that copies it. */
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";

import { breakable } from "./breakable.tsx";
import { Icon } from "./icon.tsx";

export function Command({ text }: { text: string }): JSX.Element {
  const [isCopied, setCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return undefined;
    const timer = setTimeout(() => setCopied(false), 2000);
    return () => clearTimeout(timer);
  }, [isCopied]);
  return (
    <div class="command">
      <code tabIndex={0}>{breakable(text)}</code>
      <button
        type="button"
        class="icon-button"
        aria-label={`Copy ${text}`}
        onClick={() => void copy(text).then(() => setCopied(true))}
      >
        <Icon name={isCopied ? "check" : "copy"} />
      </button>
      <span class="unseen" role="status">
        {isCopied ? "Copied" : ""}
      </span>
    </div>
  );
}

/** By the clipboard, or where a page without https has none, by a field that is selected. */
async function copy(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
}
