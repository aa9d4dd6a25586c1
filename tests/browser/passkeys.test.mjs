// SPDX-License-Identifier: GPL-3.0-or-later
// A passkey is added in the settings, signs one in without a password, and opens nothing once it is removed. The
// device is one of Chromium's own making.
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { axe, isFake, launch, openPage, startServer, tempFolder, unexpected } from './harness.mjs';

describe('passkeys', { skip: isFake && 'the fake server has none', concurrency: false }, () => {
  let library, server, browser, session, page, url, device, cdp;

  before(async () => {
    library = await tempFolder();
    server = await startServer({ library, auth: 'accounts' });
    url = server.url.replace('127.0.0.1', 'localhost'); // they are for a name
    browser = await launch();
    session = await openPage(browser, { width: 390, height: 844 });
    ({ page } = session);
    cdp = await page.context().newCDPSession(page);
    await cdp.send('WebAuthn.enable');
    const options = { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true };
    device = (await cdp.send('WebAuthn.addVirtualAuthenticator', { options })).authenticatorId;
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
    await rm(library, { recursive: true, force: true });
  });

  const byPasskey = () => page.getByRole('button', { name: 'Sign in with a passkey' });
  const signOut = async () => {
    await page.goto(`${url}/settings`);
    await page.getByRole('button', { name: 'Sign out', exact: true }).click();
    await byPasskey().waitFor();
  };
  const region = () => page.getByRole('region', { name: 'Passkeys' });

  test('one is added in the settings', async () => {
    await page.goto(url);
    await page.getByLabel('User name').fill('anna');
    await page.getByLabel('Password', { exact: true }).fill('a long sentence is best');
    await page.getByRole('button', { name: 'Create the account' }).click();
    await page.getByRole('link', { name: 'Settings' }).click();
    await region().getByLabel('A name for this device').fill('the phone');
    await region().getByRole('button', { name: 'Add a passkey' }).click();
    await region().getByRole('heading', { name: 'the phone' }).waitFor();
    await region().getByText(/not used yet/).waitFor();
    assert.deepEqual(await axe(page), []);
    const { credentials } = await cdp.send('WebAuthn.getCredentials', { authenticatorId: device });
    assert.deepEqual(credentials.map(({ rpId, isResidentCredential }) => [rpId, isResidentCredential]), [['localhost', true]]);
  });

  test('a second one of the same device is not made, in words', async () => {
    await region().getByRole('button', { name: 'Add a passkey' }).click();
    await region().getByRole('alert').waitFor();
    assert.equal(await region().getByRole('listitem').count(), 1);
  });

  test('it signs one in without a password', async () => {
    await signOut();
    assert.deepEqual(await axe(page), []);
    await byPasskey().click();
    await page.getByRole('region', { name: 'Passkeys' }).waitFor(); // where one was
    await region().getByText(/Last used/).waitFor();
  });

  test('who thinks better of it is told nothing, and can try again', async () => {
    await signOut();
    await cdp.send('WebAuthn.setUserVerified', { authenticatorId: device, isUserVerified: false });
    await byPasskey().click();
    await page.waitForFunction(() => document.querySelector('button[aria-disabled="true"]') === null);
    await page.waitForTimeout(300);
    assert.equal(await page.getByRole('alert').count(), 0);
    await cdp.send('WebAuthn.setUserVerified', { authenticatorId: device, isUserVerified: true });
    await byPasskey().click();
    await region().waitFor();
  });

  test('one that was removed opens nothing, in words', async () => {
    await region().getByRole('button', { name: /^Remove/ }).click();
    await region().getByRole('heading', { name: 'the phone' }).waitFor({ state: 'detached' });
    await signOut();
    await byPasskey().click();
    await page.getByText('that passkey opens nothing here').waitFor();
  });

  test('under an address of numbers there are none', async () => {
    await page.goto(server.url);
    await page.getByLabel('User name').waitFor();
    assert.equal(await byPasskey().count(), 0);
  });

  test('and nothing was complained of', () => assert.deepEqual(unexpected(session.errors), []));
});
