// Makes the screenshots of the README: `make screenshots`.

import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { open, startBrowser, startDemo, until } from './support.js';

const folder = fileURLToPath(new URL('../../docs/images/', import.meta.url));
const shots = [
  { name: 'overview-light', path: '', width: 1280, height: 800, scheme: 'light' },
  { name: 'overview-dark', path: '', width: 1280, height: 800, scheme: 'dark' },
  { name: 'overview-phone', path: '', width: 390, height: 844, scheme: 'light' },
  { name: 'account-light', path: 'accounts/000000000002', width: 1280, height: 1000, scheme: 'light' },
  { name: 'account-phone', path: 'accounts/000000000002', width: 390, height: 844, scheme: 'dark' },
];

// The demo of the README.
const demo = await startDemo(12);
const browser = await startBrowser();
try {
  await mkdir(folder, { recursive: true });
  await until(async () => {
    const answer = await fetch(`${demo.url}api/v1/accounts/000000000002`);
    return (await answer.json()).root.access_keys_active > 0;
  }, 'the root key of the demo');
  for (const { name, path, width, height, scheme } of shots) {
    const { page, close } = await open(browser, demo.url, { width, scheme });
    await page.setViewportSize({ width, height });
    await page.goto(demo.url + path);
    await page.screenshot({ path: `${folder}${name}.png` });
    await close();
  }
} finally {
  await browser.close();
  await demo.stop();
}
