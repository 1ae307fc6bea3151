/** `almenad dashboard`: the way to the page. */
import { type CommandContext, type CommandOptions, print } from "../command_context.ts";
import { EXIT } from "../exit_codes.ts";

/** Prints the page's address with a code that is used once, and opens it where that is possible. */
export async function dashboard(
  context: CommandContext,
  options: CommandOptions,
): Promise<number> {
  const { code: _, ...answer } = await context.client.action("page.code", {});
  const minutes = Math.max(1, Math.round((answer.expires_at_ms - Date.now()) / 60_000));
  print(context, answer, () => answer.url);
  const isForPeople = context.flags.format === "human";
  const tell = (text: string) => isForPeople && context.output.error(text);
  if (options["open"] !== false && await context.machine.openInBrowser(answer.url)) {
    tell("Opened in the browser; the address works once.");
  } else {
    tell(`Open this address in a browser of this machine; it works once, for ${minutes} minutes.`);
  }
  return EXIT.ok;
}
