"""Decodes a PNG, makes a halved, rotated, grey thumbnail and a blurred copy."""

import base64
import io

from PIL import Image, ImageFilter, ImageStat


def handler(event, context):
    image = Image.open(io.BytesIO(base64.b64decode(event["image"]))).convert("RGB")
    thumbnail = image.convert("L").reduce(2).transpose(Image.Transpose.ROTATE_90)
    blurred = image.filter(ImageFilter.GaussianBlur(4))
    return {
        "thumbnail": as_png(thumbnail),
        "blurred": {"size": list(blurred.size), "mean": ImageStat.Stat(blurred).mean},
    }


def as_png(image):
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()
