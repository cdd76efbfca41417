// Derives a key with PBKDF2, then encrypts and signs a text with it.

import { createCipheriv, createHash, createHmac, pbkdf2Sync } from 'node:crypto';

export const handler = async ({ password, salt, rounds, text }) => {
  const keys = pbkdf2Sync(password, salt, rounds, 48, 'sha256');
  const counter = Buffer.alloc(16);
  const cipher = createCipheriv('aes-128-ctr', keys.subarray(0, 16), counter);
  const secret = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return {
    secret: secret.toString('base64'),
    signature: createHmac('sha256', keys.subarray(16)).update(secret).digest('hex'),
    digest: createHash('sha512').update(text).digest('hex'),
  };
};
