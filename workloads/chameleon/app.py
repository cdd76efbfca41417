"""Renders a large HTML table with Chameleon."""

from chameleon import PageTemplate

TEMPLATE = PageTemplate(
    """
<table xmlns="http://www.w3.org/1999/xhtml" xmlns:tal="http://xml.zope.org/namespaces/tal">
  <tr tal:repeat="row table">
    <td tal:repeat="cell row.items()"><span class="column-${cell[0]}" tal:content="cell[1] + 1" /></td>
  </tr>
</table>
"""
)


def handler(event, context):
    names, first = event["columns"], event["first"]
    width = len(names)
    table = [{name: first + row * width + at for at, name in enumerate(names)} for row in range(event["rows"])]
    return {"page": TEMPLATE(table=table)}
