/** The command line asks for something that does not exist or makes no sense. `hint` says what would. */
export class UsageError extends Error {
  override name = "UsageError";
  readonly code = "usage";
  readonly hint?: string;

  constructor(message: string, hint?: string) {
    super(message);
    if (hint !== undefined) this.hint = hint;
  }
}
