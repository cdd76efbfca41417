// Renders an order page with Nunjucks, escaping what customers wrote.

import { fileURLToPath } from 'node:url';
import nunjucks from 'nunjucks';

const templates = fileURLToPath(new URL('templates', import.meta.url));
const environment = new nunjucks.Environment(new nunjucks.FileSystemLoader(templates), { autoescape: true });
environment.addFilter('euros', (cents) => `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')} €`);
const page = environment.getTemplate('order.html', true);

export const handler = async ({ customer, items: ordered }) => {
  const items = ordered.map((item) => ({ ...item, sum: item.cents * item.count }));
  const total = items.reduce((sum, item) => sum + item.sum, 0);
  return { page: page.render({ customer, items, total }) };
};
