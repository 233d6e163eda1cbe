/** `headroom help`: help of the program or of a command, the manual page, or the schema of machine output. */
import { buildProgram } from "./command-tree.ts";
import { type Context, print } from "./context.ts";
import { ExitCode } from "./exit-code.ts";
import { manualPage } from "./manual.ts";
import { UsageError } from "./usage-error.ts";
import { HEADROOM_VERSION } from "./version.ts";

export interface HelpRequest {
  /** A command. */
  topic?: string;
  form: "text" | "manual" | "schema";
}

export async function runHelp(context: Context, { topic, form }: HelpRequest): Promise<ExitCode> {
  const { terminal, look } = context;
  switch (form) {
    case "manual":
      terminal.stdout.write(manualPage(HEADROOM_VERSION));
      break;
    case "schema":
      print(context, [JSON.stringify(await schemaOf(topic), undefined, 2)]);
      break;
    case "text":
      terminal.stdout.write(helpText(topic, look.columns));
      break;
  }
  return ExitCode.ok;
}

function helpText(topic: string | undefined, columns: number): string {
  const program = buildProgram(() => {}, columns);
  const command = topic === undefined ? program : program.commands.find((one) => one.name() === topic);
  if (command === undefined) {
    const names = program.commands.map((one) => one.name()).join(", ");
    throw new UsageError(
      `Cannot help with ${topic ?? ""}: there is no such command`,
      `Commands are ${names}`,
    );
  }
  let text = "";
  command.configureOutput({ writeOut: (part) => void (text += part) }).outputHelp();
  return text;
}

async function schemaOf(topic: string | undefined): Promise<object> {
  const { outputSchema } = await import("./schemas.ts");
  const schema = outputSchema(topic ?? "");
  if (schema !== undefined) return schema;
  throw new UsageError(
    `Cannot show the schema of ${topic ?? "nothing"}: that prints no JSON`,
    "Name a command with --json: headroom help check --schema",
  );
}
