from django.conf import settings
from django.http import HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from shop.models import Order


@csrf_exempt  # so that curl can order; the payments' endpoints need no such line
@require_POST
def order(request):
    new = Order.objects.create(total=int(request.GET["total"]))
    return HttpResponseRedirect(f"/orders/{new.number}", status=303)


def show(request, number):
    found = get_object_or_404(Order, number=number)
    return JsonResponse({"number": found.number, "total": found.total, "state": found.state})


def pay(request, number):
    found = get_object_or_404(Order, number=number)
    return render(request, "shop/pay.html", {"order": found, "sdk": settings.SHOP_SDK})
