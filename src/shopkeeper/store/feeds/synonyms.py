"""How shops name their columns, in English and Chinese: the knowledge behind `guess_mapping`.

Each field lists names in order of preference, written without blanks, dashes and underscores, in lower case.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Kind = Literal["products", "events", "reviews", "texts", "orders", "judgements", "labels", "triples"]

PRODUCTS: Mapping[str, str] = {
    "id": "id itemid productid goodsid offerid articleid skuid asin handle 商品id 产品id 宝贝id 商品编号 商品编码 产品编号 编号 货号 sku code itemcode productcode",
    "title": "title name productname producttitle itemname itemtitle goodsname displayname 标题 商品标题 商品名称 产品名称 名称 商品名 品名 宝贝标题",
    "description": "description desc body bodyhtml longdescription productdescription shortdescription summary details text 描述 商品描述 产品描述 详情 商品详情 简介 说明",
    "brand": "brand brandname manufacturer vendor supplier maker 品牌 品牌名 品牌名称 厂商 制造商",
    "category": "category categories producttype categorypath categoryname productcategory googleproductcategory department breadcrumbs type 类目 分类 商品类目 商品分类 类别 品类",
    "price": "price regularprice listprice unitprice sellingprice currentprice retailprice amount 价格 商品价格 售价 单价 现价 原价 销售价",
    "sale_price": "saleprice specialprice discountprice offerprice promotionprice 促销价 折扣价 优惠价 活动价",
    "price_cents": "pricecents priceincents cents 价格分",
    "currency": "currency currencycode pricecurrency 货币 币种",
    "availability": "availability instock stockstatus availabilitystatus isavailable 库存状态 是否有货 上架状态",
    "stock": "stock quantity inventory stockquantity inventoryquantity qty stocklevel 库存 库存数量 数量",
    "codes": "codes sku gtin ean upc barcode mpn isbn gtin13 ean13 partnumber modelnumber 条码 条形码 国际条码 型号 商家编码",
    "group": "group itemgroupid groupid parentid parentsku parentasin parentproductid spu spuid 商品组",
    "images": "images imagelink additionalimagelink imageurl image imagesrc picture pictureurl imageurls photo thumbnail mainimage 图片 主图 商品图片 图片链接 图片地址",
    "videos": "videos videolink video videourl 视频 主图视频 视频链接",
    "link": "link url producturl productlink canonicalurl 链接 商品链接 网址",
    "language": "language lang contentlanguage locale 语言",
    "hidden": "hidden ishidden 隐藏 是否隐藏",
    "deleted": "deleted isdeleted removed 删除 是否删除 已删除",
    "status": "status productstatus 状态 商品状态",
    "created": "created createdat creationdate dateadded datecreated releasedate datereleased launchdate 创建时间 上架时间 上市时间 发布时间",
    "updated": "updated updatedat lastmodified modified modifiedat dateupdated 更新时间 修改时间",
    "attributes": "attributes specs specifications features 属性 商品属性 规格 规格参数 参数",
}  # fmt: skip

EVENTS: Mapping[str, str] = {
    "id": "id eventid messageid uuid 事件id",
    "time": "time timestamp eventtime eventtimestamp datetime createdat occurredat date ts 时间 时间戳 行为时间 事件时间 日期",
    "kind": "kind event eventname eventtype type action behavior behaviour behaviortype behaviourtype activity interaction 行为 行为类型 事件 事件类型 类型 动作",
    "customer": "customer customerid user userid visitorid buyerid memberid clientid anonymousid accountid uid 用户id 用户 会员id 买家id 客户id 顾客id 客户",
    "session": "session sessionid visitid 会话id 会话",
    "item": "item itemid product productid goodsid asin sku skuid contentid 商品id 产品id 宝贝id 商品 商品编号 商品编码",
    "query": "query searchterm searchquery keyword keywords q 搜索词 查询词 关键词 查询",
    "request": "request requestid answerid 请求id",
    "value": "value amount total revenue linetotal rating stars 金额 总价 评分",
    "price": "price unitprice itemprice 价格 单价",
    "quantity": "quantity qty count pieces 数量 件数",
    "impression": "impression",
    "properties": "properties",
}  # fmt: skip

REVIEWS: Mapping[str, str] = {
    "id": "id reviewid commentid 评论id 评价id",
    "text": "text review reviewtext reviewbody body content comment comments message 评论 评价 内容 评论内容 评价内容 正文",
    "title": "title summary headline reviewtitle subject 标题 评论标题",
    "item": "item itemid product productid goodsid asin sku skuid 商品id 产品id 宝贝id 商品 商品编号",
    "customer": "customer customerid user userid reviewerid buyerid memberid 用户id 用户 买家id 会员id",
    "author": "author reviewername username name nickname reviewer 昵称 用户名 作者",
    "time": "time timestamp date createdat reviewtime reviewdate unixreviewtime submittedat datetime 时间 评论时间 评价时间 日期",
    "rating": "rating score stars star overall reviewrating grade 评分 星级 打分",
    "language": "language lang locale 语言",
    "thread": "thread threadid 会话",
    "deleted": "deleted isdeleted removed 删除 是否删除",
}  # fmt: skip

TEXTS: Mapping[str, str] = {
    **REVIEWS,
    "text": f"{REVIEWS['text']} answer post reply 回答 答案 答复 帖子",
    "title": f"{REVIEWS['title']} question 问题 提问",
    "kind": "kind type passagekind 类型 种类",
    "source": "source channel site platform feed 来源 渠道 平台 网站",
    "thread": f"{REVIEWS['thread']} conversation conversationid 对话id 对话",
}  # fmt: skip

ORDERS: Mapping[str, str] = {
    "id": "id order orderid ordernumber orderno number 订单号 订单编号 订单id 单号",
    "customer": EVENTS["customer"],
    "placed": "placed time createdat created orderdate date purchasedat 下单时间 创建时间 时间 日期",
    "status": "status state orderstatus fulfillmentstatus 状态 订单状态",
    "lines": "lines items item itemid products product productid sku skus lineitems 商品 商品id 明细 商品明细",
    "total": "total amount value ordertotal totalprice 总价 总额 金额 实付",
    "currency": PRODUCTS["currency"],
    "carrier": "carrier courier shippingcompany shippingcarrier 快递公司 物流公司 承运商",
    "tracking": "tracking trackingnumber trackingno waybill 快递单号 运单号 物流单号",
    "due": "due eta expected expecteddelivery deliverydate estimateddelivery 预计送达 预计到达",
    "delivered": "delivered deliveredat receivedat 送达时间 签收时间",
    "address": "address shippingaddress deliveryaddress 地址 收货地址",
}  # fmt: skip

JUDGEMENTS: Mapping[str, str] = {
    "query": "query searchterm searchquery keyword keywords q qid queryid 查询 搜索词 查询词 关键词",
    "item": "item itemid product productid docid documentid doc asin sku 商品id 产品id 商品 文档id",
    "grade": "grade rating relevance label judgement judgment score esci esciLabel 相关性 评分 标签 等级",
    "rater": "rater raterid annotator judge assessor user userid 评审 标注人 标注员",
}  # fmt: skip

LABELS: Mapping[str, str] = {
    "id": "id messageid questionid caseid ticketid 编号 留言编号 问题id",
    "title": "title subject headline topic summary 标题 主题 留言主题",
    "text": "text question ask detail details body content message description 内容 正文 问题 提问 详情 留言详情",
    "label": "label class category department office theme tag 标签 类别 分类 科室 部门 一级标签",
    "reply": "reply answer response 答复 回复 答复意见",
    "time": "time timestamp date createdat datetime 时间 留言时间 日期",
    "customer": "customer customerid user userid patient citizen 用户id 用户 留言用户 患者",
}  # fmt: skip

SEVERAL: Mapping[Kind, frozenset[str]] = {
    "products": frozenset({"codes", "images", "category"}),
    "events": frozenset(),
    "reviews": frozenset(),
    "texts": frozenset(),
    "orders": frozenset(),
    "judgements": frozenset(),
    "labels": frozenset(),
}
"""Fields that take several columns."""

IGNORED = frozenset(["shipping", "tax", "shippingweight", "序号", "index", "unnamed:0"])
"""Columns that are no attribute of anything."""

REQUIRED: Mapping[Kind, tuple[str, ...]] = {
    "products": ("id", "title"),
    "events": ("time", "kind"),
    "reviews": ("text",),
    "texts": ("kind", "text"),
    "orders": ("id", "customer", "placed"),
    "judgements": ("query", "item", "grade"),
    "labels": ("text",),
}


def fields(kind: Kind) -> Mapping[str, tuple[str, ...]]:
    """Field to the names that shops give it, best first."""
    tables = {
        "products": PRODUCTS,
        "events": EVENTS,
        "reviews": REVIEWS,
        "texts": TEXTS,
        "orders": ORDERS,
        "judgements": JUDGEMENTS,
        "labels": LABELS,
    }
    return {field: tuple(name.casefold() for name in names.split()) for field, names in tables[kind].items()}
