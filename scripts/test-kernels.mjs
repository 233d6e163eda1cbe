/** `npm run test:kernels`, by hand: starts test/kernels/run.ts under the right Node; see there. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const args = ["--disable-warning=ExperimentalWarning", "test/kernels/run.ts", ...process.argv.slice(2)];
const { status } = spawnSync(`${root}node_modules/.bin/node`, args, { cwd: root, stdio: "inherit" });
process.exitCode = status ?? 1;
