/**
 * Puts the rasa-webchat widget where the demo page loads it: static/vendor/rasa-webchat/index.js.
 *
 *     npm run vendor        (in rasa_project/web)
 *
 * The published bundle is complete in itself, so only its tarball is fetched, through npm and its
 * configured registry, and not the 500 packages that it was built with. The tarball must have the
 * hash below, or nothing is written.
 */

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const PACKAGE = "rasa-webchat@1.0.1";
const SHA512 = "Ld1zVJvTAaTrs6A5p8t70agNNrKYRyXlvqXZRgBoDvKKUXbA0jhJKECi5bdPGlaR6jsmqWtVylHS+YqIqo0x8w==";
const FILES = { "package/lib/index.js": "index.js", "package/LICENSE": "LICENSE" };

const target = join(dirname(fileURLToPath(import.meta.url)), "static", "vendor", "rasa-webchat");
const work = mkdtempSync(join(tmpdir(), "rasa-webchat-"));
try {
  execFileSync("npm", ["pack", PACKAGE, "--silent", "--pack-destination", work], {
    stdio: ["ignore", "ignore", "inherit"],
    shell: process.platform === "win32",
  });
  const tarball = join(work, readdirSync(work).find((name) => name.endsWith(".tgz")));
  const found = createHash("sha512").update(readFileSync(tarball)).digest("base64");
  if (found !== SHA512) throw new Error(`${PACKAGE} has the hash ${found}, not the one in vendor.mjs.`);
  execFileSync("tar", ["-xzf", tarball, "-C", work]);
  mkdirSync(target, { recursive: true });
  for (const [from, to] of Object.entries(FILES)) copyFileSync(join(work, from), join(target, to));
  console.log(`${PACKAGE} is in ${target}`);
} catch (error) {
  console.error(`vendor: ${error.message}`);
  process.exitCode = 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}
