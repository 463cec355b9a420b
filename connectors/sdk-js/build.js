/**
 * Builds a connector in JavaScript or TypeScript into a component, in two steps, so that whoever calls it can keep what
 * the slow one makes:
 *
 *     bundle MAIN OUT            all that MAIN imports, as one module, with the contract's imports left in place
 *     component BUNDLE WIT OUT   that module and the JavaScript engine, as one component
 *
 * `interlock connector build` hands it to Node.js in the folder where the tools are installed.
 */

import { writeFile } from "node:fs/promises";
import { dirname } from "node:path";

const [step, ...paths] = process.argv.slice(2);
const steps = { bundle, component };

if (!Object.hasOwn(steps, step)) {
  console.error(`there is no step ${step}`);
  process.exit(2);
}
try {
  await steps[step](...paths);
} catch (error) {
  // esbuild has shown its own errors already.
  if (!Array.isArray(error.errors)) console.error(error.message);
  process.exit(1);
}

/**
 * @param {string} main
 * @param {string} out
 */
async function bundle(main, out) {
  const { build } = await import("esbuild");
  await build({
    entryPoints: [main],
    absWorkingDir: dirname(main),
    outfile: out,
    bundle: true,
    format: "esm",
    // Neither a browser nor Node.js: what needs one of them does not belong into a connector.
    platform: "neutral",
    // A linked SDK is bundled as a copied one is.
    preserveSymlinks: true,
    mainFields: ["module", "main"],
    target: "es2023",
    external: ["interlock:*"],
    charset: "utf8",
    legalComments: "none",
    logLevel: "warning",
  });
}

/**
 * @param {string} bundle
 * @param {string} wit
 * @param {string} out
 */
async function component(bundle, wit, out) {
  const { componentize } = await import("@bytecodealliance/componentize-js");
  const { component } = await componentize({
    sourcePath: bundle,
    witPath: wit,
    worldName: "connector",
    // Whatever is left on would import WASI, and be refused.
    disableFeatures: ["stdio", "random", "clocks", "http", "fetch-event"],
  });
  await writeFile(out, component);
}
