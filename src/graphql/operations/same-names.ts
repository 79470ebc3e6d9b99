import { type DocumentNode, type FragmentDefinitionNode, Kind, type SelectionSetNode } from 'graphql';
import { assertWithin } from '../errors/faults.ts';
import { DOCUMENT_LIMITS } from '../price/limits.ts';

/** The maximum number of fields and fragments that the check visits, with fragments expanded. */
const STEPS = 10_000;

/**
 * Throws DOCUMENT_TOO_LARGE if a document selects one response name too often: validation compares all fields
 * with the same response name in pairs, including their subfields. Also accepts invalid documents.
 */
export function assertFewSameNames(document: DocumentNode): void {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const node of document.definitions) {
    if (node.kind === Kind.FRAGMENT_DEFINITION) fragments.set(node.name.value, node);
  }
  let steps = 0;

  function checkMerged(sets: readonly SelectionSetNode[], depth: number): void {
    assertWithin('levels of fields', depth, DOCUMENT_LIMITS.depth);
    const below = new Map<string, { fields: number; readonly sets: SelectionSetNode[] }>();
    // A fragment counts once per set. This also ends the recursion of a fragment that spreads itself.
    const spread = new Set<string>();
    const pending = [...sets];
    for (let set = pending.pop(); set; set = pending.pop()) {
      for (const node of set.selections) {
        steps += 1;
        assertWithin('fields, with fragments expanded', steps, STEPS);
        if (node.kind === Kind.INLINE_FRAGMENT) pending.push(node.selectionSet);
        else if (node.kind === Kind.FRAGMENT_SPREAD) {
          const fragment = fragments.get(node.name.value);
          if (fragment && !spread.has(node.name.value)) pending.push(fragment.selectionSet);
          spread.add(node.name.value);
        } else {
          const name = node.alias?.value ?? node.name.value;
          const same = below.get(name) ?? { fields: 0, sets: [] };
          below.set(name, same);
          same.fields += 1;
          if (node.selectionSet) same.sets.push(node.selectionSet);
        }
      }
    }
    for (const { fields, sets } of below.values()) {
      assertWithin('fields with the same response name', fields, DOCUMENT_LIMITS.sameNames);
      if (sets.length > 0) checkMerged(sets, depth + 1);
    }
  }

  // Fragments, too: validation also checks unused ones.
  for (const node of document.definitions) {
    if (node.kind === Kind.OPERATION_DEFINITION || node.kind === Kind.FRAGMENT_DEFINITION)
      checkMerged([node.selectionSet], 1);
  }
}
