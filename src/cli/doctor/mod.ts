import type { CommandContext } from "../command_context.ts";
/** x */
export function doctor(_context: CommandContext): Promise<number> {
  return Promise.resolve(0);
}
