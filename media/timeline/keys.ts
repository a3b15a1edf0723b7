/** What a key does in the picture. Pure. */

export type KeyAction =
  | { readonly kind: 'step'; readonly to: 'stop' | 'checkpoint' | 'item'; readonly direction: 1 | -1 }
  | { readonly kind: 'end'; readonly to: 'begin' | 'end' }
  | { readonly kind: 'zoom'; readonly factor: number }
  | { readonly kind: 'pan'; readonly part: number }
  | { readonly kind: 'branch'; readonly direction: 1 | -1 }
  | { readonly kind: 'fit' }
  | { readonly kind: 'bookmark' };

export interface Key {
  readonly key: string;
  readonly shiftKey?: boolean;
  readonly ctrlKey?: boolean;
  readonly altKey?: boolean;
  readonly metaKey?: boolean;
}

export function actionOf({ key, shiftKey, ctrlKey, altKey, metaKey }: Key): KeyAction | undefined {
  if (ctrlKey || metaKey) return undefined;
  const direction = key === 'ArrowLeft' ? -1 : key === 'ArrowRight' ? 1 : undefined;
  if (direction) {
    const to = shiftKey ? 'checkpoint' : altKey ? 'item' : 'stop';
    return { kind: 'step', to, direction };
  }
  if (altKey) return undefined;
  switch (key) {
    case 'Home':
      return { kind: 'end', to: 'begin' };
    case 'End':
      return { kind: 'end', to: 'end' };
    case '+':
    case '=':
      return { kind: 'zoom', factor: 0.5 };
    case '-':
    case '_':
      return { kind: 'zoom', factor: 2 };
    case '0':
      return { kind: 'fit' };
    case 'PageUp':
      return { kind: 'pan', part: -0.5 };
    case 'PageDown':
      return { kind: 'pan', part: 0.5 };
    case 'ArrowUp':
      return { kind: 'branch', direction: -1 };
    case 'ArrowDown':
      return { kind: 'branch', direction: 1 };
    case 'b':
      return { kind: 'bookmark' };
    default:
      return undefined;
  }
}
