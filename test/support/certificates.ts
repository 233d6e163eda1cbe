/** Certificates for tests, made by openssl: an authority `ca`, and what it signed. */
import { execFileSync, spawnSync } from "node:child_process";

/** Why none can be made here, or false. */
export const whyNoCertificates: string | false =
  spawnSync("openssl", ["version"]).status === 0 ? false : "openssl is not installed";

const KEYS = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
const LASTING = ["-days", "2"];

/**
 * Writes `ca.key` and `ca.crt`, and the same of every name, signed by it and good for 127.0.0.1; `strangers`
 * sign themselves.
 */
export function makeCertificates(
  directory: string,
  names: readonly string[],
  strangers: readonly string[] = [],
): void {
  const openssl = (...words: string[]): void =>
    void execFileSync("openssl", words, { cwd: directory, stdio: "ignore" });
  const files = (name: string): string[] => ["-keyout", `${name}.key`, "-subj", `/CN=${name}`];
  const address = ["-addext", "subjectAltName=IP:127.0.0.1"];
  for (const self of ["ca", ...strangers]) {
    openssl("req", "-x509", ...KEYS, ...LASTING, ...files(self), "-out", `${self}.crt`);
  }
  for (const name of names) {
    openssl("req", ...KEYS, ...files(name), ...address, "-out", `${name}.csr`);
    const by = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", ...LASTING];
    openssl("x509", "-req", "-in", `${name}.csr`, ...by, "-copy_extensions", "copy", "-out", `${name}.crt`);
  }
}
