from django.contrib import admin
from django.urls import include, path

from shop import views

urlpatterns = [
    path("admin/", admin.site.urls),
    path("orders", views.order),
    path("orders/<str:number>", views.show),
    path("orders/<str:number>/pay", views.pay),
    path("payments/", include("imp_verify.contrib.django.urls")),
]
