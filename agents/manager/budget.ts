/** A task that costs nothing needs no budget: models that are free may be asked with a budget of 0. */
export function isBudgetUsedUp(spentMicroDollars: number, budgetMicroDollars: number): boolean {
  return spentMicroDollars > 0 && spentMicroDollars >= budgetMicroDollars;
}
