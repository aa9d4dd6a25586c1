// SPDX-License-Identifier: GPL-3.0-or-later
// Passkeys: a key that a device holds and one's finger or face unlocks. The library that speaks to browsers about them
// is loaded when somebody wants one.
import { call, type Me, type Shape } from './api';

/** Browsers have them over HTTPS (and on localhost), for names alone. */
export const hasPasskeys = (): boolean =>
  window.isSecureContext && 'PublicKeyCredential' in window && !/^[\d.]+$|^\[/.test(location.hostname);

/** One who thought better of it, or let the time pass, has done nothing wrong. */
const isCancelled = (error: unknown): boolean =>
  error instanceof Error && (error.name === 'NotAllowedError' || error.name === 'AbortError');

async function unlessCancelled<T>(asked: Promise<T>): Promise<T | undefined> {
  return asked.catch((error: unknown) => {
    if (isCancelled(error)) return undefined;
    throw error;
  });
}

/** Asks this device for a new one; undefined: it was not made. */
export async function makePasskey(name: string): Promise<Shape<'Passkey'> | undefined> {
  const { startRegistration } = await import('@simplewebauthn/browser');
  const optionsJSON = await call<Shape<'PasskeyMake'>>('POST', '/me/passkeys/options');
  const credential = await unlessCancelled(startRegistration({ optionsJSON }));
  return credential && call<Shape<'Passkey'>>('POST', '/me/passkeys', { body: { name, credential } });
}

/** Signs in by one; undefined: none was given. */
export async function enterByPasskey(): Promise<Me | undefined> {
  const { startAuthentication } = await import('@simplewebauthn/browser');
  const optionsJSON = await call<Shape<'PasskeyAsk'>>('POST', '/passkeys/options');
  const credential = await unlessCancelled(startAuthentication({ optionsJSON: { ...optionsJSON, allowCredentials: [] } }));
  return credential && call<Me>('POST', '/passkeys', { body: { credential } });
}
