import {
  type ASTVisitor,
  type FragmentDefinitionNode,
  GraphQLError,
  Kind,
  type SelectionSetNode,
  type ValidationContext,
} from "graphql";

/** Deepest nesting of fields; introspection as tools write it needs 14. */
export const MAX_DEPTH = 16;
/** Fields of one document, those of fragments counted at each use. */
export const MAX_FIELDS = 1_000;
/** Operations called by one document: each is a call of its own. */
export const MAX_ROOT_FIELDS = 20;
/** Words of one document. */
export const MAX_TOKENS = 5_000;

interface Size {
  readonly depth: number;
  readonly fields: number;
  /** Fields that are not inside another. */
  readonly calls: number;
}

const NOTHING: Size = { depth: 0, fields: 0, calls: 0 };

/**
 * A validation rule that refuses documents too deep, too wide or calling too much at once. Each
 * fragment is measured once, so a small document cannot make the measuring itself expensive.
 */
export function limitsRule(context: ValidationContext): ASTVisitor {
  const measured = new Map<string, Size>();
  const measure = (set: SelectionSetNode | undefined, path: readonly string[]): Size => {
    let size = NOTHING;
    for (const node of set?.selections ?? []) {
      if (node.kind === Kind.FIELD) {
        const inner = measure(node.selectionSet, path);
        size = join(size, { depth: inner.depth + 1, fields: inner.fields + 1, calls: 1 });
      } else if (node.kind === Kind.INLINE_FRAGMENT) {
        size = join(size, measure(node.selectionSet, path));
      } else {
        size = join(size, ofFragment(context.getFragment(node.name.value), path));
      }
    }
    return size;
  };
  const ofFragment = (
    fragment: FragmentDefinitionNode | null | undefined,
    path: readonly string[],
  ): Size => {
    const name = fragment?.name.value;
    if (!fragment || name === undefined || path.includes(name)) return NOTHING;
    const known = measured.get(name);
    if (known) return known;
    const size = measure(fragment.selectionSet, [...path, name]);
    measured.set(name, size);
    return size;
  };
  return {
    OperationDefinition(node) {
      const { depth, fields, calls } = measure(node.selectionSet, []);
      const problem = depth > MAX_DEPTH
        ? `it is ${depth} fields deep, and ${MAX_DEPTH} are allowed`
        : fields > MAX_FIELDS
        ? `it has ${fields} fields, and ${MAX_FIELDS} are allowed`
        : calls > MAX_ROOT_FIELDS
        ? `it calls ${calls} operations, and ${MAX_ROOT_FIELDS} are allowed`
        : undefined;
      if (problem === undefined) return;
      const extensions = { code: "resource_exhausted" };
      const message = `Cannot run this document: ${problem}`;
      context.reportError(new GraphQLError(message, { nodes: [node], extensions }));
    },
  };
}

function join(a: Size, b: Size): Size {
  return {
    depth: Math.max(a.depth, b.depth),
    fields: a.fields + b.fields,
    calls: a.calls + b.calls,
  };
}
