"""A product that tries everything a title can try."""

from shopkeeper.records import Item

HOSTILE = Item(
    id='<b>"&/?#',
    title="<script>alert('title')</script> & Co",
    description="</textarea><img src=x onerror=alert(1)>",
    brand='"><svg onload=alert(1)>',
    category=("<i>Odd</i>", "A&B"),
    attributes={"<u>name</u>": "'\"><script>1</script>"},
    price=1.5,
    currency="EUR",
    images=("javascript:alert(1)", "../shop.db"),
)
