// The drift of the answers from those on the test set: Pearson's chi-square test of homogeneity of two samples.

/** Fewer answers than this are not tested: below, the classes would be expected fewer than five times. */
export const LEAST_ANSWERS = 50;

/** Compare two samples, counts of the same classes: {statistic, freedom, p, n}; null if a sample is too small. */
export function chiSquare(answers, tested) {
  const [n, m] = [total(answers), total(tested)];
  if (n < LEAST_ANSWERS || m < LEAST_ANSWERS) return null;
  const pairs = answers.map((count, k) => [count, tested[k]]).filter(([a, b]) => a + b > 0);
  const statistic = pairs.reduce((sum, [a, b]) => {
    const [expectedA, expectedB] = [(n * (a + b)) / (n + m), (m * (a + b)) / (n + m)];
    return sum + (a - expectedA) ** 2 / expectedA + (b - expectedB) ** 2 / expectedB;
  }, 0);
  const freedom = pairs.length - 1;
  return { statistic, freedom, p: freedom ? 1 - lowerGamma(freedom / 2, statistic / 2) : 1, n };
}

/** Return the regularized lower incomplete gamma function P(a, x) of a whole or half a (Numerical Recipes, 6.2.5). */
function lowerGamma(a, x) {
  if (x > 300) return 1;
  let term = Math.exp(a * Math.log(x || Number.MIN_VALUE) - x) / gamma(a + 1);
  let sum = term;
  for (let k = 1; term > 1e-16 * sum; k++) {
    term *= x / (a + k);
    sum += term;
  }
  return Math.min(1, sum);
}

/** Return the gamma function of a whole or half number of at least 1/2. */
function gamma(a) {
  if (a <= 1) return a === 1 ? 1 : Math.sqrt(Math.PI);
  return (a - 1) * gamma(a - 1);
}

function total(counts) {
  return counts.reduce((sum, count) => sum + count, 0);
}
