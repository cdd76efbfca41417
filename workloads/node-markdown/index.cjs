// Renders a long Markdown document to HTML with markdown-it.

const MarkdownIt = require('markdown-it');

const markdown = new MarkdownIt();

exports.handler = async (event) => ({ page: markdown.render(event.document) });
