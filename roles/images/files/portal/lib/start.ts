import { read } from "./config";
import { log } from "./log";

/** A portal that cannot work does not start, and says in one line why. */
export function start(): void {
  try {
    read();
  } catch (error) {
    log("error", error instanceof Error ? error.message : String(error));
    process.exit(2);
  }
}
