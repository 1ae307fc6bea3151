/** The lint rules of this project that `deno lint` has not: short functions, no bare errors. */

/** Longest function, in lines from its first to its last. */
export const MAX_FUNCTION_LINES = 60;

/** Files whose errors reach callers, so must carry a code. */
const SOURCE = /(^|[/\\])src[/\\]/;

function lineCount(text: string): number {
  return text.split("\n").length;
}

function checkLength(context: Deno.lint.RuleContext) {
  return (node: { range: [number, number] }) => {
    const lines = lineCount(context.sourceCode.text.slice(...node.range));
    if (lines <= MAX_FUNCTION_LINES) return;
    context.report({
      range: node.range,
      message: `This function has ${lines} lines, more than ${MAX_FUNCTION_LINES}`,
      hint: "Take out a part that has a name of its own",
    });
  };
}

function checkError(context: Deno.lint.RuleContext) {
  return (node: Deno.lint.NewExpression | Deno.lint.CallExpression) => {
    if (!SOURCE.test(context.filename)) return;
    if (node.callee.type !== "Identifier" || node.callee.name !== "Error") return;
    context.report({
      node,
      message: "A bare Error has no code, so no front door can translate it",
      hint: "Use DaemonError with a code; TypeError for a mistake of the programmer",
    });
  };
}

const plugin: Deno.lint.Plugin = {
  name: "almenad",
  rules: {
    "short-functions": {
      create(context) {
        const check = checkLength(context);
        return {
          FunctionDeclaration: check,
          FunctionExpression: check,
          ArrowFunctionExpression: check,
        };
      },
    },
    "no-bare-error": {
      create(context) {
        const check = checkError(context);
        return { NewExpression: check, CallExpression: check };
      },
    },
  },
};

export default plugin;
