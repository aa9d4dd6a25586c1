// SPDX-License-Identifier: GPL-3.0-or-later
// Files that are dropped anywhere on the page. Answers whether some are held over it.
import { useEffect, useRef, useState } from 'preact/hooks';

export function useDrop(take: (files: File[]) => void): boolean {
  const [over, setOver] = useState(false);
  const taker = useRef(take);
  taker.current = take;
  useEffect(() => {
    const ends = new AbortController();
    const { signal } = ends;
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') === true;
    window.addEventListener('dragover', (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setOver(true);
    }, { signal });
    window.addEventListener('dragleave', (event) => {
      if (event.relatedTarget === null) setOver(false);
    }, { signal });
    window.addEventListener('drop', (event) => {
      setOver(false);
      if (!hasFiles(event)) return;
      event.preventDefault();
      taker.current([...(event.dataTransfer?.files ?? [])]);
    }, { signal });
    return () => ends.abort();
  }, []);
  return over;
}
