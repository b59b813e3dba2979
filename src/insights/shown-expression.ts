const NUMBER = /^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i;
const COMPARISON = /^([\s\S]+?)\s*(==|!=|<=|>=|<|>)\s*(\S+)$/;
/** These bind less tightly than a comparison, so that what stands left of one is more than what it compares. */
const LOOSER = /\b(?:and|or|unless)\b/i;

/**
 * Splits an alert's expression at its comparison with a number, because a comparison in PromQL leaves nothing to see of the time in which it did not hold:
 * `up == 0` is shown as `up` with the threshold 0. What is compared otherwise is shown whole, with null.
 */
export function shownExpression(expr: string): { readonly shown: string; readonly threshold: number | null } {
  const whole = { shown: expr, threshold: null };
  const [, left = '', , right = ''] = COMPARISON.exec(expr.trim()) ?? [];
  if (left === '' || !NUMBER.test(right) || LOOSER.test(left) || !isBalanced(left)) return whole;
  return { shown: left.trim(), threshold: Number(right) };
}

/** A sign inside of a selector or of a quoted text is none of the expression's own. */
function isBalanced(text: string): boolean {
  const bare = text.replace(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`/g, '');
  if (/["'`]/.test(bare)) return false;
  let depth = 0;
  for (const [sign] of bare.matchAll(/[()[\]{}]/g)) {
    depth += '([{'.includes(sign) ? 1 : -1;
    if (depth < 0) return false;
  }
  return depth === 0;
}
