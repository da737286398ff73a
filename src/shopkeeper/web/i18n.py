"""Every sentence of the storefront, in English and Chinese, and how a visitor's language is chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

from shopkeeper.domains import Wording
from shopkeeper.web.i18n_assist import ASSIST_TEXTS
from shopkeeper.web.i18n_desks import DESK_TEXTS

LANGUAGES: Final = {"en": "English", "zh": "中文"}
DEFAULT: Final = "en"

TEXTS: Final[Mapping[str, tuple[str, str]]] = {
    **ASSIST_TEXTS,
    **DESK_TEXTS,
    "skip": ("Skip to the goods", "跳到商品"),
    "search": ("Search", "搜索"),
    "search_hint": ("What are you looking for?", "想找点什么？"),
    "search_label": ("Search the shop", "搜索全店"),
    "look": ("Search by picture", "用图片搜索"),
    "look_send": ("Search with this picture", "用这张图片搜索"),
    "looks_results": ("What looks like your picture", "与您的图片相似的商品"),
    "looks_like": ("Looks like this", "外观相似"),
    "home": ("Home", "首页"),
    "basket": ("Basket", "购物篮"),
    "basket_count": ("Basket, {count} pieces", "购物篮，{count} 件"),
    "language": ("Language", "语言"),
    "departments": ("Departments", "分类"),
    "hello": ("Good to see you.", "欢迎光临。"),
    "hello_more": (
        "Look around. Every click teaches this shop what you like, and the shelves below change with it.",
        "随便看看。您每点一次，小店就多懂您一分，下面的货架也会跟着变。",
    ),
    "hello_back": ("Shelves arranged for you", "为您重新摆好的货架"),
    "for_you": ("For you", "为您推荐"),
    "for_you_more": ("from what you looked at, searched and chose", "根据您看过、搜过、选过的商品"),
    "continue_more": ("looked at, not bought yet", "看过但还没买"),
    "again_more": ("by how often you buy it", "根据您的购买间隔"),
    "see_all": ("See all", "查看全部"),
    "session": ("Your session", "本次浏览"),
    "session_learnt": ("What the shop learnt just now", "小店刚刚记下的"),
    "session_leaning": ("So it leans towards", "所以更偏向"),
    "forget": ("Start afresh", "重新开始"),
    "forget_more": ("Ends this session; a new one knows nothing.", "结束本次浏览；新的会话什么都不知道。"),
    "did_view": ("Looked at", "看过"),
    "did_search": ("Searched", "搜过"),
    "did_cart": ("In the basket", "已加购"),
    "did_purchase": ("Bought", "已购买"),
    "did_dismiss": ("Not interested in", "不感兴趣"),
    "act_as": ("Look at the shop as", "以此身份浏览"),
    "act_anonymous": ("an unknown visitor", "陌生访客"),
    "act_go": ("Go", "确定"),
    "demo": ("Demonstration", "演示"),
    "results_for": ("Results for “{query}”", "“{query}”的搜索结果"),
    "all_goods": ("All goods", "全部商品"),
    "count": ("{count} items", "共 {count} 件"),
    "count_one": ("1 item", "共 1 件"),
    "filters": ("Filters", "筛选"),
    "apply": ("Apply", "应用"),
    "clear": ("Clear all", "清除全部"),
    "remove_filter": ("Remove filter {name}", "去掉筛选：{name}"),
    "category": ("Category", "类别"),
    "brand": ("Brand", "品牌"),
    "price": ("Price", "价格"),
    "rating": ("Rating", "评分"),
    "rating_any": ("Any", "不限"),
    "rating_up": ("{stars} stars and up", "{stars} 星及以上"),
    "price_from": ("from", "最低"),
    "price_to": ("to", "最高"),
    "sort": ("Sort by", "排序"),
    "sort_relevance": ("Best match", "综合"),
    "sort_price_asc": ("Price, low to high", "价格从低到高"),
    "sort_price_desc": ("Price, high to low", "价格从高到低"),
    "sort_newest": ("Newest", "最新"),
    "sort_popular": ("Most popular", "最热门"),
    "page": ("Page {page} of {pages}", "第 {page} 页，共 {pages} 页"),
    "previous": ("Previous", "上一页"),
    "next": ("Next", "下一页"),
    "pages": ("Pages", "分页"),
    "sort_rating": ("Best rated", "评分最高"),
    "nothing": ("Nothing matches “{query}”.", "没有找到“{query}”。"),
    "loose": (
        "No product has exactly these words; these are the nearest in meaning.",
        "没有商品完全包含这些词，以下是意思最接近的。",
    ),
    "close": ("Close to it", "比较接近的"),
    "understood": ("Understood", "已识别"),
    "take_away": ("Do not read it this way: {name}", "不这样理解：{name}"),
    "taken_away": ("Not applied", "未采用"),
    "bring_back": ("Apply again: {name}", "重新采用：{name}"),
    "mended": ("Showing results for “{words}”.", "以下是“{words}”的结果。"),
    "mended_back": ("Search instead for “{words}”", "仍然搜索“{words}”"),
    "rewritten": ("Searched for “{words}” instead.", "已改为搜索“{words}”。"),
    "instead": ("Did you mean", "您是不是要找"),
    "more_ways": ("To find more", "想找到更多"),
    "banner": ("From the shop", "店铺消息"),
    "variants": ("+{count} variants", "另有 {count} 款"),
    "variants_one": ("+1 variant", "另有 1 款"),
    "price_chart": ("How many items cost how much, from {low} to {high}", "各价位商品数，{low} 至 {high}"),
    "price_bar": ("{low}–{high}: {count}", "{low}–{high}：{count} 件"),
    "suggest_queries": ("Searches", "搜索"),
    "suggest_products": ("Products", "商品"),
    "suggest_own": ("searched before", "搜过"),
    "suggest_label": ("Suggestions", "搜索建议"),
    "suggest_count": ("{count} suggestions, use the arrow keys", "{count} 条建议，可用方向键选择"),
    "suggest_none": ("No suggestions", "没有建议"),
    "nothing_here": ("Nothing matches these filters.", "没有符合筛选条件的商品。"),
    "nothing_more": ("A few ways on:", "不妨试试："),
    "try_without_filters": ("Search “{query}” without filters", "去掉筛选，再搜“{query}”"),
    "try_word": ("Search only “{word}”", "只搜“{word}”"),
    "try_all": ("Look through everything", "逛逛全部商品"),
    "meanwhile": ("Meanwhile, what others like", "先看看大家喜欢的"),
    "beyond": ("There is no such page; the list ends before it.", "没有这一页，列表到前面就结束了。"),
    "first_page": ("Back to the first page", "回到第一页"),
    "why": ("Why is this here?", "为什么推荐？"),
    "why_of": ("Why is {title} here?", "为什么推荐{title}？"),
    "add": ("Add to basket", "加入购物篮"),
    "added": ("In your basket", "已加入购物篮"),
    "not_interested": ("Not interested", "不感兴趣"),
    "not_interested_in": ("Not interested in {title}", "对{title}不感兴趣"),
    "noted": ("Noted. You will see less like this.", "记下了，会少给您看这类商品。"),
    "rail_back": ("Back in “{title}”", "“{title}”往前"),
    "rail_on": ("More of “{title}”", "“{title}”往后"),
    "goes_with": ("Goes well with it", "搭配购买"),
    "this_item": ("This item", "当前商品"),
    "together": ("Together", "合计"),
    "add_all": ("Put all {count} in the basket", "{count} 件一起加入购物篮"),
    "tell_me": ("Tell me when it is back", "到货通知我"),
    "will_tell": ("We will tell you when it is back.", "到货后会通知您。"),
    "tell_not": ("Do not tell me", "取消通知"),
    "tell_known": (
        "The shop tells its customers when it is back; it does not know you yet.",
        "到货后小店会通知顾客；您还不是登记顾客。",
    ),
    "in_stock": ("In stock", "有货"),
    "out_of_stock": ("Sold out", "售罄"),
    "preorder": ("Pre-order", "可预订"),
    "backorder": ("Back in stock soon", "即将到货"),
    "price_unknown": ("Price on request", "价格待询"),
    "details": ("Details", "商品参数"),
    "description": ("About this item", "商品介绍"),
    "reviews": ("Reviews", "顾客评价"),
    "reviews_count": ("{count} reviews", "{count} 条评价"),
    "no_reviews": ("No reviews yet.", "还没有评价。"),
    "stars": ("{stars} of 5 stars", "{stars} 星（满分 5 星）"),
    "similar": ("Similar items", "相似商品"),
    "sponsored": ("Sponsored", "广告"),
    "picture_of": ("Picture of {title}", "{title}的图片"),
    "clip_of": ("Video of {title}", "{title}的视频"),
    "code": ("Codes", "货号"),
    "account": ("What the shop thinks of you", "小店眼中的您"),
    "account_known": ("Signed in as {customer}.", "已登录：{customer}。"),
    "account_leave": ("Sign out", "退出登录"),
    "account_more": ("From the last {count} things you did.", "根据您最近做过的 {count} 件事。"),
    "account_nothing": ("The shop knows nothing of you yet.", "小店还不了解您。"),
    "account_segment": ("People like you:", "和您相似的顾客："),
    "account_tags": ("In short", "简单说"),
    "account_category": ("Categories", "常看的类别"),
    "account_brand": ("Brands", "常看的品牌"),
    "account_attribute": ("Details", "偏爱的特点"),
    "account_price": ("Prices", "价位"),
    "account_opinions": ("What you wrote in reviews", "您在评价里说过的"),
    "account_next": ("What you may need next", "您接下来可能需要"),
    "account_again": ("Interested in {name} again", "重新关注{name}"),
    "account_undo": ("Interested again", "重新关注"),
    "account_data": ("Your data", "您的数据"),
    "account_download": ("Download all of it", "全部下载"),
    "account_erase": ("Erase all of it", "全部删除"),
    "account_erase_more": (
        "Everything the shop keeps about you; this cannot be undone.",
        "小店保存的关于您的一切，删除后无法恢复。",
    ),
    "quantity": ("Quantity", "数量"),
    "remove": ("Remove", "移除"),
    "remove_item": ("Remove {title}", "移除{title}"),
    "total": ("Total", "合计"),
    "basket_empty": ("Your basket is empty.", "购物篮是空的。"),
    "basket_with": ("Goes well with your basket", "和购物篮里的很搭"),
    "checkout": ("Buy (practice)", "下单（练习）"),
    "checkout_more": (
        "This is a practice checkout: nothing is charged or sent. The shop learns that you bought these.",
        "这是练习下单：不收钱、不发货，小店会记下您买了这些。",
    ),
    "refused": (
        "This payment was not accepted, so nothing was ordered. Your basket is as you left it. "
        "Please ask the shop if this surprises you.",
        "这笔付款未被接受，没有下单，购物篮里的商品都还在。如有疑问，请联系小店。",
    ),
    "thanks": ("Thank you!", "谢谢惠顾！"),
    "thanks_more": ("The shop noted your order of {count} pieces.", "小店已记下您的订单，共 {count} 件。"),
    "held": (
        "Somebody at the shop looks through this order before it goes on. You need not do anything.",
        "店员会先核对这份订单，再继续处理，您不用做什么。",
    ),
    "thanks_with": ("Completes “{title}”", "与“{title}”搭配"),
    "thanks_next": ("What goes with it", "还可以搭配"),
    "go_on": ("Go on shopping", "继续逛逛"),
    "error_404": ("This shelf is empty.", "这个货架是空的。"),
    "error_404_more": ("There is no such page or product.", "没有这个页面或商品。"),
    "error_400": ("That did not work.", "这样不行。"),
    "error_400_more": ("The shop did not understand this request.", "小店没看懂这个请求。"),
    "error_403": ("That is not allowed.", "不允许这样做。"),
    "error_403_more": ("Reload the page and try again.", "请刷新页面再试。"),
    "error_429": ("A little slower, please.", "请慢一点。"),
    "error_429_more": ("Too many clicks at once. Wait a moment.", "点得太快了，稍等片刻。"),
    "error_500": ("Something fell off the shelf.", "货架上掉了点东西。"),
    "error_500_more": ("It is our fault; it has been noted as {request}.", "是我们的问题，已记录为 {request}。"),
    "footer": (
        "Search and recommendation by Shopkeeper, on the shop's own machine.",
        "搜索与推荐由“掌柜”提供，运行在店铺自己的机器上。",
    ),
    "reference": ("API reference", "接口文档"),
    "reference_more": (
        "Every address of /v1, from the shop's own OpenAPI document.",
        "/v1 的全部接口，来自本店的 OpenAPI 文档。",
    ),
    "reference_body": ("Body", "请求体"),
    "reference_parameters": ("Parameters", "参数"),
    "ended": ("No longer sold", "已下架"),
}

Translate = Callable[..., str]


def translator(language: str, wording: Wording = Wording()) -> Translate:
    """`t(key, **values)` for a language of `LANGUAGES`, in the words of a shop's domain."""
    spoken = _spoken(language, wording)

    def translate(key: str, **values: object) -> str:
        return spoken[key].format(**values)

    return translate


@lru_cache(maxsize=32)
def _spoken(language: str, wording: Wording) -> Mapping[str, str]:
    place = 1 if language == "zh" else 0
    return {key: wording.say(both[place], language) for key, both in TEXTS.items()}


def chosen(asked: str, kept: str, accepted: str) -> str:
    """The language to speak: asked for in the address, else kept in a cookie, else what the browser accepts."""
    for wanted in (asked, kept):
        if wanted in LANGUAGES:
            return wanted
    ranked = sorted((part for part in accepted.split(",")[:20] if part.strip()), key=lambda part: -_quality(part))
    for part in ranked:
        primary = part.split(";")[0].strip().split("-")[0].lower()
        if primary in LANGUAGES:
            return primary
    return DEFAULT


def _quality(part: str) -> float:
    _, _, quality = part.partition(";q=")
    try:
        return float(quality) if quality else 1.0
    except ValueError:
        return 0.0
