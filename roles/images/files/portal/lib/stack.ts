import { readFile } from "node:fs/promises";
import { config } from "./config";
import type { Stack } from "./map";

/** Return the stack as it was planned and deployed; undefined when no map was given. */
export async function stack(): Promise<Stack | undefined> {
  try {
    return JSON.parse(await readFile(config().portMap, "utf8")) as Stack;
  } catch {
    return undefined;
  }
}
