// Helpers of the browser tests: the demo as a child process, Debian's Chromium, axe-core.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

// Milliseconds until a wait fails; long enough for a slow and busy machine.
export const PATIENCE = 60_000;

const root = fileURLToPath(new URL('../../', import.meta.url));
const binary = `${root}target/debug/aws-root-exporter`;

/** Starts the demo on a free port and waits until it has polled every account. */
export async function startDemo(accounts) {
  const child = spawn(
    binary,
    ['demo', `--accounts=${accounts}`, '--web.listen-address=127.0.0.1:0'],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env.PATH } },
  );
  const output = [];
  const url = await new Promise((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        output.push(line);
        const address = /(?:msg|message)="?listening"? .*?address="?([0-9.]+:\d+)/.exec(line);
        if (address) resolve(`http://${address[1]}/`);
      });
    }
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`the demo ended:\n${output.join('\n')}`)));
  });
  const stop = async () => {
    if (child.exitCode !== null) return;
    child.kill('SIGTERM');
    await once(child, 'exit');
  };
  await until(async () => (await fetch(`${url}-/ready`)).status === 200, 'the demo is ready');
  return { url, stop };
}

/** Waits until the condition holds. */
export async function until(condition, what) {
  const end = Date.now() + PATIENCE;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`timeout: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export function startBrowser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu'],
    timeout: PATIENCE,
  });
}

/**
 * Opens a page in a new profile. `problems` collects the browser's errors and warnings, and requests to
 * other hosts.
 */
export async function open(browser, url, { width, scheme = 'light', scripts = false }) {
  const context = await browser.newContext({
    viewport: { width, height: 900 },
    colorScheme: scheme,
    javaScriptEnabled: scripts,
    // For axe-core, which is injected into the page.
    bypassCSP: scripts,
  });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  const problems = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) problems.push(message.text());
  });
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('request', (request) => {
    if (!request.url().startsWith(url) && !request.url().startsWith('data:')) {
      problems.push(`a request to ${request.url()}`);
    }
  });
  await page.goto(url);
  return { page, problems, close: () => context.close() };
}

/** The violations that axe-core finds in a page. */
export async function violations(page) {
  const path = fileURLToPath(import.meta.resolve('axe-core/axe.min.js'));
  await page.evaluate(await readFile(path, 'utf8'));
  const result = await page.evaluate(() => globalThis.axe.run());
  return result.violations.map(
    ({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html).join(' | ')}`,
  );
}
