/** Makes the change, where the file of the daemon allows it: shows it first, and asks. */
import type { JSX } from "preact";
import { useRef, useState } from "preact/hooks";

import { post, Refused } from "../state/api.ts";
import type { Wish } from "./whatif-wish.ts";

type Progress =
  | { kind: "asking" }
  | { kind: "applying" }
  | { kind: "done"; outcome: string }
  | { kind: "failed"; message: string; help: string | undefined };

interface ApplyProps {
  command: string;
  wish: Wish;
  onApplied: () => void;
}

export function ApplyButton({ command, wish, onApplied }: ApplyProps): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  const [progress, setProgress] = useState<Progress>({ kind: "asking" });
  const open = (): void => {
    setProgress({ kind: "asking" });
    dialog.current?.showModal();
  };
  const close = (): void => {
    dialog.current?.close();
    if (progress.kind === "done") onApplied();
  };
  // Whoever leaves while it is being made would not hear what came of it.
  const cancel = (event: Event): void => {
    if (progress.kind === "applying") event.preventDefault();
    else close();
  };
  async function apply(): Promise<void> {
    setProgress({ kind: "applying" });
    try {
      const answer = await post<{ outcome?: string }>("changes", { settings: Object.fromEntries(wish) });
      setProgress({ kind: "done", outcome: answer.outcome ?? "applied" });
    } catch (error) {
      const help = error instanceof Refused ? error.help : undefined;
      setProgress({ kind: "failed", message: (error as Error).message, help });
    }
  }
  return (
    <>
      <button type="button" class="button primary" onClick={open}>
        Apply on this host
      </button>
      <dialog ref={dialog} class="confirm" aria-label="Apply this change" onCancel={cancel}>
        <h2>Apply this change?</h2>
        <p>It is made now and lasts over a reboot, as this command would make it:</p>
        <pre tabIndex={0}>{command}</pre>
        <p class="quiet">
          A receipt is written first. <code>headroom rollback</code> takes it back.
        </p>
        <ProgressWords progress={progress} />
        <p class="confirm-ways">
          {progress.kind === "done" ? (
            <button type="button" class="button primary" onClick={close}>
              Close
            </button>
          ) : (
            <>
              <button type="button" class="button" onClick={close} disabled={progress.kind === "applying"}>
                Leave it
              </button>
              <button
                type="button"
                class="button primary"
                disabled={progress.kind === "applying"}
                onClick={() => void apply()}
              >
                {progress.kind === "applying" ? "Applying" : "Apply"}
              </button>
            </>
          )}
        </p>
      </dialog>
    </>
  );
}

function ProgressWords({ progress }: { progress: Progress }): JSX.Element {
  return (
    <div role="status">
      {progress.kind === "done" && <p class="done">Done: {progress.outcome.replaceAll("-", " ")}.</p>}
      {progress.kind === "failed" && (
        <p class="failed">
          {progress.message}. {progress.help}
        </p>
      )}
    </div>
  );
}
